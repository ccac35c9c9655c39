import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBase64 } from '../matrix/canonical-json/base64.ts';
import { signJson } from '../matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../matrix/signing/signing-key.ts';
import { formatKeyQuery, makeNotaryResponse, parseKeyQuery, parseNotaryResponse } from './notary.ts';
import { keySignsRequestsAt, keyValidAt, KEYS_MAX, makeServerKeys, parseServerKeys, refreshAtMs, ServerKeysError, VALIDITY_MS_MAX, VALIDITY_MS_MIN } from './server-keys.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 24 * 3_600_000;
const KEY = signingKeyFromSeed('now', new Uint8Array(32).fill(1));
const OTHER = signingKeyFromSeed('next', new Uint8Array(32).fill(2));
const RETIRED = { keyId: 'ed25519:then', publicKey: signingKeyFromSeed('then', new Uint8Array(32).fill(3)).publicKey, expiredAtMs: NOW - 5 * DAY_MS };
const NOTARY = { serverName: 'notary.test', signingKey: signingKeyFromSeed('n', new Uint8Array(32).fill(4)) };

const documentOf = (serverName = 'one.test', validityMs = DAY_MS) => makeServerKeys({ serverName, signingKeys: [KEY, OTHER], retiredKeys: [RETIRED], nowMs: NOW, validityMs });
const expected = { serverName: 'one.test', fetchedAtMs: NOW };
const refused = (value: unknown, message: RegExp) => assert.throws(() => parseServerKeys(value, expected), (error) => error instanceof ServerKeysError && message.test(error.message), String(message));

test('a document that is made is read, through JSON', () => {
  const keys = parseServerKeys(JSON.parse(JSON.stringify(documentOf())), expected);
  assert.deepEqual([...keys.keys.keys()].sort(), ['ed25519:next', 'ed25519:now', 'ed25519:then']);
  assert.deepEqual(keys.keys.get('ed25519:now'), { keyId: 'ed25519:now', publicKey: KEY.publicKey, validUntilMs: NOW + DAY_MS, old: false });
  assert.deepEqual(keys.keys.get('ed25519:then'), { keyId: 'ed25519:then', publicKey: RETIRED.publicKey, validUntilMs: RETIRED.expiredAtMs, old: true });
  assert.deepEqual(Object.keys(keys.document.signatures['one.test'] ?? {}).sort(), ['ed25519:next', 'ed25519:now']);
  assert.equal(refreshAtMs(keys, NOW), NOW + DAY_MS / 2);
  assert.throws(() => makeServerKeys({ serverName: 'one.test', signingKeys: [], nowMs: NOW, validityMs: DAY_MS }), RangeError);
});

test('validity is bounded on both sides of the wire', () => {
  assert.equal(documentOf('one.test', 0).valid_until_ts, NOW + VALIDITY_MS_MIN);
  assert.equal(documentOf('one.test', 400 * DAY_MS).valid_until_ts, NOW + VALIDITY_MS_MAX);
  const { signatures: _signatures, ...unsigned } = documentOf();
  const long = parseServerKeys(signJson({ ...unsigned, valid_until_ts: NOW + 400 * DAY_MS }, 'one.test', KEY), expected);
  assert.equal(long.validUntilMs, NOW + 7 * DAY_MS);
  assert.equal(long.keys.get('ed25519:now')?.validUntilMs, NOW + 7 * DAY_MS);
  const past = parseServerKeys(signJson({ ...unsigned, valid_until_ts: NOW - 1 }, 'one.test', KEY), expected);
  assert.equal(past.validUntilMs, NOW - 1, 'an expired document still verifies old events');
  assert.equal(refreshAtMs(past, NOW), NOW);
});

test('documents of others, unsigned and malformed ones are refused', () => {
  const document = documentOf();
  const { signatures: _signatures, ...unsigned } = document;
  const resigned = (change: object) => signJson({ ...unsigned, ...change }, 'one.test', KEY);
  refused(undefined, /no object/);
  refused([], /no object/);
  refused(documentOf('two.test'), /of "two.test"/);
  refused(unsigned, /no valid signature/);
  refused({ ...document, valid_until_ts: document.valid_until_ts + 1 }, /no valid signature/);
  refused(signJson(unsigned, 'one.test', NOTARY.signingKey), /no valid signature/);
  refused(signJson({ ...unsigned, verify_keys: {} }, 'one.test', KEY), /no valid signature/);
  const movedToOld = { verify_keys: {}, old_verify_keys: { [KEY.keyId]: { key: encodeBase64(KEY.publicKey), expired_ts: NOW } } };
  refused(resigned(movedToOld), /no valid signature/);
  refused(resigned({ valid_until_ts: 'tomorrow' }), /valid_until_ts/);
  refused(resigned({ verify_keys: [] }), /no object/);
  refused(resigned({ verify_keys: { 'ed25519:x': 5 } }), /ed25519:x is no object/);
  refused(resigned({ verify_keys: { 'ed25519:x': { key: 'AAAA' } } }), /not 32 bytes/);
  refused(resigned({ old_verify_keys: { 'ed25519:x': { key: encodeBase64(KEY.publicKey) } } }), /no expired_ts/);
  refused(resigned({ verify_keys: Object.fromEntries(Array.from({ length: KEYS_MAX + 1 }, (_, n) => [`rsa:${n}`, {}])) }), /more than/);
  assert.deepEqual([...parseServerKeys(resigned({ verify_keys: { ...unsigned.verify_keys, 'rsa:1': 'x' }, old_verify_keys: undefined }), expected).keys.keys()], ['ed25519:now', 'ed25519:next'], 'other algorithms are passed over');
});

test('a key that is given up is told as one in use until then, and as an old one afterwards', () => {
  const [now, before] = [signingKeyFromSeed('now', new Uint8Array(32).fill(1)), signingKeyFromSeed('before', new Uint8Array(32).fill(2))];
  const at = (nowMs: number) => {
    const document = makeServerKeys({ serverName: 'one.test', signingKeys: [now], retiredKeys: [{ ...before, expiredAtMs: NOW }, { ...now, expiredAtMs: NOW - 5 }], nowMs, validityMs: 1 });
    return { told: [Object.keys(document.verify_keys), document.old_verify_keys], parsed: parseServerKeys(document, { serverName: 'one.test', fetchedAtMs: nowMs }).keys.get('ed25519:before')! };
  };
  assert.deepEqual(at(NOW - 1).told, [['ed25519:now', 'ed25519:before'], {}]);
  assert.ok(keySignsRequestsAt(at(NOW - 1).parsed, NOW - 1));
  assert.deepEqual(at(NOW).told, [['ed25519:now'], { 'ed25519:before': { key: Buffer.from(before.publicKey).toString('base64').replace(/=+$/, ''), expired_ts: NOW } }]);
  assert.deepEqual([at(NOW).parsed.validUntilMs, keySignsRequestsAt(at(NOW).parsed, NOW)], [NOW, false]);
});

test('a key counts for events by the room version’s rule, for requests while it is in use', () => {
  const enforced = { keyValidityEnforced: true };
  const key = { validUntilMs: NOW, old: false };
  assert.deepEqual([NOW - 1, NOW, NOW + 1].map((ts) => keyValidAt(key, ts, enforced)), [true, true, false]);
  assert.ok(keyValidAt(key, NOW + 1, { keyValidityEnforced: false }));
  assert.deepEqual([NOW, NOW + 1].map((now) => keySignsRequestsAt(key, now)), [true, false]);
  assert.ok(!keySignsRequestsAt({ ...key, old: true }, NOW));
});

test('a notary’s answer holds when both it and the server have signed', () => {
  const response = makeNotaryResponse([documentOf(), documentOf('two.test')], NOTARY);
  const publicKeyOf = (keyId: string) => (keyId === NOTARY.signingKey.keyId ? NOTARY.signingKey.publicKey : undefined);
  const rejected: unknown[] = [];
  const parse = (value: unknown, keys = publicKeyOf) => parseNotaryResponse(value, {
    notary: 'notary.test', publicKeyOf: keys, fetchedAtMs: NOW, rejected: (serverName) => rejected.push(serverName),
  }).map((keys) => keys.serverName);
  assert.deepEqual(parse(JSON.parse(JSON.stringify(response))), ['one.test', 'two.test']);
  const forged = signJson({ ...documentOf(), signatures: {} }, 'notary.test', NOTARY.signingKey);
  assert.deepEqual(parse({ server_keys: [forged, documentOf('two.test'), 5, ...response.server_keys] }), ['one.test', 'two.test']);
  assert.deepEqual(rejected, ['one.test', 'two.test', undefined]);
  assert.deepEqual(parse(response, () => undefined), []);
  assert.throws(() => parse({}), ServerKeysError);
});

test('questions to a notary go there and back', () => {
  const query = new Map([['one.test', new Map([['ed25519:now', { minimumValidUntilMs: 5 }]])], ['two.test', new Map()]]);
  assert.deepEqual(parseKeyQuery(JSON.parse(JSON.stringify(formatKeyQuery(query))), NOW), query);
  assert.deepEqual(parseKeyQuery({ server_keys: { 'one.test': { 'ed25519:a': {} } } }, NOW)?.get('one.test')?.get('ed25519:a'), { minimumValidUntilMs: NOW });
  for (const body of [null, {}, { server_keys: [] }, { server_keys: { 'no server': {} } }, { server_keys: { 'one.test': 5 } }, { server_keys: { 'one.test': { a: 5 } } }, { server_keys: { 'one.test': { a: { minimum_valid_until_ts: 'x' } } } }]) {
    assert.equal(parseKeyQuery(body, NOW), undefined, JSON.stringify(body));
  }
  assert.equal(parseKeyQuery({ server_keys: Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`s${n}.test`, {}])) }, NOW), undefined);
});
