/** Laws of pkg/matrix that hold for all values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, compareCodePoints } from '../../pkg/matrix/canonical-json/canonical-json.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import { eventIdOf } from '../../pkg/matrix/events/event-id.ts';
import { contentHashMatches } from '../../pkg/matrix/events/hashes.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { redact } from '../../pkg/matrix/events/redact.ts';
import { ROOM_VERSIONS } from '../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../pkg/matrix/signing/sign-event.ts';
import { installSoundJson } from '../../pkg/runtime/real/sound-json.ts';
import { TEST_KEY } from '../kit/room-state.ts';

installSoundJson();

/** Any string of whole code points; often with ones that sort differently as UTF-16. */
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '\u007f', '\u2028', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}') }));
const integer = fc.maxSafeInteger().map((value) => (Object.is(value, -0) ? 0 : value));
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4, withCrossShrink: true }, integer, text, fc.boolean(), fc.constant(null), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 5 }),
  object: fc.dictionary(text, tie('value'), { maxKeys: 6, noNullPrototype: true }),
}));
const object = fc.dictionary(text, json, { maxKeys: 6, noNullPrototype: true });

test('canonical JSON says the same as the value', () => {
  fc.assert(fc.property(json, (value) => {
    assert.deepEqual(JSON.parse(canonicalJson(value)), value);
  }));
});

test('canonical JSON does not depend on the order of keys and is its own canonical form', () => {
  fc.assert(fc.property(object, (value) => {
    const reversed = Object.fromEntries(Object.entries(value).reverse());
    const encoded = canonicalJson(value);
    assert.equal(canonicalJson(reversed), encoded);
    assert.equal(canonicalJson(JSON.parse(encoded)), encoded);
  }));
});

test('canonical JSON sorts keys as their UTF-32 code points, and so as their UTF-8 bytes', () => {
  fc.assert(fc.property(fc.uniqueArray(text, { maxLength: 8 }), (keys) => {
    const encoded = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
    const expected = [...keys].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    assert.equal(encoded, `{${expected.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`);
    assert.deepEqual([...keys].sort(compareCodePoints), expected);
  }));
});

test('canonical JSON has no fractions and no half surrogate pairs', () => {
  const fraction = fc.double({ noInteger: true });
  const halved = fc.tuple(text, fc.integer({ min: 0xd800, max: 0xdbff })).map(([before, unit]) => before + String.fromCharCode(unit));
  fc.assert(fc.property(fc.oneof(fraction, halved), object, (bad, around) => {
    assert.throws(() => canonicalJson({ ...around, bad: [bad] }), { name: 'CanonicalJsonError' });
  }));
  fc.assert(fc.property(halved, (bad) => {
    assert.throws(() => canonicalJson({ [bad]: 1 }), { name: 'CanonicalJsonError' });
  }));
});

const TYPES = ['m.room.message', 'm.room.member', 'm.room.create', 'm.room.join_rules', 'm.room.power_levels', 'm.room.history_visibility', 'm.room.redaction'];
const CONTENT_KEYS = ['membership', 'creator', 'join_rule', 'allow', 'ban', 'invite', 'users', 'history_visibility', 'redacts', 'third_party_invite', 'body'];
const content = fc.dictionary(fc.oneof(fc.constantFrom(...CONTENT_KEYS), text), fc.oneof(json, fc.record({ signed: json, display_name: text }, { requiredKeys: [] })), { noNullPrototype: true });
const draft = fc.record({ type: fc.oneof(fc.constantFrom(...TYPES), text), sender: text, content, state_key: text, redacts: text }, { requiredKeys: ['type', 'sender', 'content'] });

for (const version of ROOM_VERSIONS) {
  test(`v${version.id} redaction: once is enough`, () => {
    fc.assert(fc.property(draft, object, (event, more) => {
      const once = redact({ ...more, ...event } as unknown as Pdu, version);
      assert.deepEqual(redact(once, version), once);
    }));
  });

  test(`v${version.id} a built event has the hash, signature, ID and text that it should`, () => {
    fc.assert(fc.property(draft, fc.nat(), fc.option(text, { nil: undefined }), (event, depth, roomId) => {
      const input = { version, draft: event, roomId, prevEvents: ['$p'], authEvents: ['$a', '$b'], depth, originServerTs: depth, serverName: 'one.test', signingKey: TEST_KEY };
      const { eventId, pdu, json: encoded } = buildEvent(input);
      assert.equal(encoded, canonicalJson(pdu));
      assert.equal(eventId, eventIdOf(pdu, version));
      assert.ok(contentHashMatches(pdu, version));
      assert.ok(verifyEvent(pdu, version, { serverName: 'one.test', keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey }));
    }));
  });
}
