import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson } from '../matrix/canonical-json/canonical-json.ts';
import { signJson } from '../matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../matrix/signing/signing-key.ts';
import { signedTransport } from './sign-requests.ts';
import { requestTarget } from './transport.ts';
import type { FederationRequest } from './transport.ts';
import { formatXMatrix, parseAuthorization, parseXMatrix, signRequest, verifyRequest } from './x-matrix.ts';
import type { Authorization } from './x-matrix.ts';

const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(1));
const SECOND = signingKeyFromSeed('2', new Uint8Array(32).fill(2));
const PARTS = { method: 'PUT', uri: '/_matrix/federation/v1/send/1?a=b%20c', origin: 'one.test', destination: 'two.test:8448' };
const publicKeyOf = (keyId: string) => [KEY, SECOND].find((key) => key.keyId === keyId)?.publicKey;
const CONTEXT = { ownServerName: PARTS.destination, publicKeyOf };

function parsed(...values: string[]): Authorization {
  const authorization = parseAuthorization(values);
  if (typeof authorization === 'string') throw new Error(authorization);
  return authorization;
}

test('the signature is that of the object in the spec', () => {
  const content = { pdus: [], b: { y: 1, x: 'ä' } };
  const object = signJson({ ...PARTS, content }, 'one.test', KEY);
  const expected = formatXMatrix({ origin: 'one.test', destination: 'two.test:8448', key: 'ed25519:1', sig: object.signatures['one.test']?.['ed25519:1'] ?? '' });
  assert.equal(signRequest(PARTS, canonicalJson(content), KEY), expected);
  const bare = signJson(PARTS, 'one.test', KEY);
  assert.ok(signRequest(PARTS, undefined, KEY).endsWith(`sig="${bare.signatures['one.test']?.['ed25519:1']}"`));
});

test('what is signed is verified; any change is noticed', () => {
  const bodyText = canonicalJson({ a: 1 });
  const authorization = parsed(signRequest(PARTS, bodyText, KEY));
  const received = { method: PARTS.method, uri: PARTS.uri, bodyText };
  assert.equal(verifyRequest(authorization, received, CONTEXT), undefined);
  const changes: [object, string][] = [
    [{ method: 'POST' }, 'bad-signature'], [{ uri: '/_matrix/federation/v1/send/1' }, 'bad-signature'], [{ bodyText: '{"a":2}' }, 'bad-signature'], [{ bodyText: undefined }, 'bad-signature'], [{ bodyText: '{' }, 'bad-signature'],
  ];
  for (const [change, refusal] of changes) assert.equal(verifyRequest(authorization, { ...received, ...change }, CONTEXT), refusal, JSON.stringify(change));
  assert.equal(verifyRequest({ ...authorization, origin: 'three.test' }, received, CONTEXT), 'bad-signature');
  assert.equal(verifyRequest(authorization, received, { ...CONTEXT, ownServerName: 'three.test' }), 'wrong-destination');
  assert.equal(verifyRequest({ ...authorization, destination: undefined }, received, CONTEXT), undefined, 'older servers do not name the destination');
  assert.equal(verifyRequest({ ...authorization, destination: undefined }, received, { ...CONTEXT, ownServerName: 'three.test' }), 'bad-signature', 'but they sign it');
  assert.equal(verifyRequest(authorization, received, { ...CONTEXT, publicKeyOf: () => undefined }), 'unknown-key');
});

test('a body is verified in canonical form and as it came', () => {
  const canonical = '{"a":1,"b":2}';
  const authorization = parsed(signRequest(PARTS, canonical, KEY));
  for (const bodyText of [canonical, '{ "b": 2, "a": 1 }']) assert.equal(verifyRequest(authorization, { ...PARTS, bodyText }, CONTEXT), undefined, bodyText);
  // Signed by a server that lets fractions through: there is no canonical form of it here, but the text is what was signed.
  const fraction = '{"edus":[{"content":{"x":1.0e-05}}]}';
  assert.equal(verifyRequest(parsed(signRequest(PARTS, fraction, KEY)), { ...PARTS, bodyText: fraction }, CONTEXT), undefined);
  assert.equal(verifyRequest(parsed(signRequest(PARTS, fraction, KEY)), { ...PARTS, bodyText: '{"edus":[{"content":{"x":0.00001}}]}' }, CONTEXT), 'bad-signature');
});

test('the forms of RFC 9110 and those of older servers are read', () => {
  const whole = { origin: 'one.test:8448', destination: 'two.test', key: 'ed25519:1', sig: 'a/b+c' };
  for (const text of [
    'X-Matrix origin="one.test:8448",destination="two.test",key="ed25519:1",sig="a/b+c"',
    'X-Matrix origin=one.test:8448,destination=two.test,key=ed25519:1,sig=a/b+c',
    'x-matrix   sig="a/b+c" \t,\t KEY="ed25519:1" , Origin=one.test:8448,Destination="t\\w\\o.test",extra="a,\\"b\\" X-Matrix"',
  ]) assert.deepEqual(parseXMatrix(text), [whole], text);
  assert.deepEqual(parseXMatrix('X-Matrix origin="one.test",key="ed25519:1",sig="abc=="'), [{ origin: 'one.test', destination: undefined, key: 'ed25519:1', sig: 'abc==' }]);
  assert.equal(parseXMatrix('X-Matrix origin=[::1]:80,key=ed25519:1,sig=ab')?.[0]?.origin, '[::1]:80');
  const odd = { origin: 'a"b\\c', destination: 'd', key: 'k', sig: 's' };
  assert.deepEqual(parseXMatrix(formatXMatrix(odd)), [odd]);
});

test('malformed headers are malformed', () => {
  const good = 'X-Matrix origin="one.test",key="ed25519:1",sig="ab"';
  for (const text of [
    'X-Matrix ', 'X-Matrix origin="one.test",key="ed25519:1"', `${good},`, `${good} rubbish`, `${good},origin="one.test"`, `${good},destination="two`,
    `${good},x`, 'X-Matrix origin="one.test" key="ed25519:1" sig="ab"', `${good}, X-Matrix origin="one.test"`,
    'X-Matrix origin="one test",key="ed25519:1",sig="ab"', 'X-Matrix origin="one.test",key="ed25519:1",sig="*"',
  ]) assert.equal(parseAuthorization([text]), 'malformed', text);
  assert.equal(parseAuthorization(Array<string>(9).fill(good)), 'malformed', 'each signature costs a check');
  assert.equal(parseAuthorization([]), 'missing');
  for (const text of ['Bearer abc', 'X-Matrix', 'X-Matrixes origin=a']) assert.equal(parseAuthorization([text]), 'missing');
  assert.notEqual(parseAuthorization(['Bearer abc', good]), 'malformed');
});

test('of several headers one valid signature suffices; they must agree', () => {
  const received = { ...PARTS, bodyText: undefined };
  const [one, two] = [signRequest(PARTS, undefined, KEY), signRequest(PARTS, undefined, SECOND)];
  assert.deepEqual(parsed(one, two), parsed(`${one}, ${two}`));
  const unknown = signRequest(PARTS, undefined, signingKeyFromSeed('3', new Uint8Array(32).fill(3)));
  assert.equal(verifyRequest(parsed(unknown, two), received, CONTEXT), undefined);
  const forged = two.replace('ed25519:2', 'ed25519:1');
  assert.equal(verifyRequest(parsed(forged), received, CONTEXT), 'bad-signature');
  assert.equal(verifyRequest(parsed(forged, two), received, CONTEXT), undefined);
  assert.equal(parseAuthorization([one, two.replace('one.test', 'six.test')]), 'malformed');
  assert.equal(parseAuthorization([one, two.replace('two.test', 'six.test')]), 'malformed');
});

test('a signing transport sends the text that it signed', async () => {
  const sent: FederationRequest[] = [];
  const transport = signedTransport({ request: (request) => { sent.push(request); return Promise.resolve({ status: 200, body: {} }); } }, { serverName: 'one.test', signingKey: KEY });
  await transport.request({ destination: 'two.test:8448', method: 'PUT', path: '/p/%24x', query: { b: ['1', 'ö&'], a: '=' }, body: { z: 1, a: 2 }, deadlineMs: 1 });
  await transport.request({ destination: 'two.test:8448', method: 'GET', path: '/p', deadlineMs: 1 });
  assert.equal(sent[0]?.json, '{"a":2,"z":1}');
  for (const request of sent) {
    const uri = requestTarget(request);
    assert.equal(verifyRequest(parsed(request.authorization ?? ''), { method: request.method, uri, bodyText: request.json }, CONTEXT), undefined, uri);
  }
  assert.deepEqual(sent.map(requestTarget), ['/p/%24x?b=1&b=%C3%B6%26&a=%3D', '/p']);
});
