/** An event of each room version on its way: built, checked as by another server, redacted, named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomState, TEST_KEY } from '../../../test/kit/room-state.ts';
import { ROOM_VERSIONS, type RoomVersion } from '../room-versions/room-versions.ts';
import { addSignature, hashAndSignEvent, requiredSigners, verifyEvent } from '../signing/sign-event.ts';
import { buildEvent, type BuildEvent } from './build-event.ts';
import { checkIntegrity, type Dropped, type IntactEvent } from './check-received.ts';
import { eventIdOf } from './event-id.ts';
import { contentHash, contentHashMatches } from './hashes.ts';
import type { Pdu } from './pdu.ts';
import { redact } from './redact.ts';
import { referenceTo } from './references.ts';
import { validateEvent } from './validate-event.ts';

const ALICE = '@alice:one.test';
const ID_FORMS: Record<string, RegExp> = { opaque: /^\$[\w-]{22}:one\.test$/, base64: /^\$[A-Za-z0-9+/]{43}$/, base64url: /^\$[\w-]{43}$/ };
const before = (versionId: string): readonly string[] => Array.from({ length: Number(versionId) - 1 }, (_, index) => String(index + 1));

function signedBy(version: RoomVersion): (serverName: string, event: Pdu) => boolean {
  return (serverName, event) => verifyEvent(event, version, { serverName, keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey });
}

function received(value: unknown, version: RoomVersion): IntactEvent | Dropped {
  return checkIntegrity({ value: JSON.parse(JSON.stringify(value)) as unknown, version, signedBy: signedBy(version) });
}

function reasonOf(result: IntactEvent | Dropped): string {
  return 'outcome' in result ? result.reason : 'intact';
}

function message(version: RoomVersion, change: Partial<BuildEvent> = {}) {
  const { create, roomId } = new RoomState(version.id);
  const reference = referenceTo(create, version);
  return buildEvent({
    version, roomId, draft: { type: 'm.room.message', sender: ALICE, content: { body: 'hi' } }, prevEvents: [reference], authEvents: [reference], depth: 2, originServerTs: 5,
    serverName: 'one.test', signingKey: TEST_KEY, ...change,
  });
}

for (const version of ROOM_VERSIONS) {
  test(`version ${version.id}: built, checked, redacted, named`, () => {
    const { eventId, pdu, json } = message(version);
    assert.match(eventId, ID_FORMS[version.eventIdFormat]!);
    assert.deepEqual(received(pdu, version), { eventId, roomId: pdu.room_id, pdu, bytes: Buffer.from(json), redacted: false });
    const redacted = redact(pdu, version);
    assert.deepEqual([redacted.content, eventIdOf(redacted, version), referenceTo({ eventId, pdu: redacted }, version)], [{}, eventId, referenceTo({ eventId, pdu }, version)]);
    assert.ok(signedBy(version)('one.test', redacted));
    assert.equal(contentHashMatches(redacted, version), false);
    const changed = received({ ...pdu, content: { body: 'ho' } }, version);
    assert.deepEqual(changed, { eventId, roomId: pdu.room_id, pdu: redacted, bytes: (changed as IntactEvent).bytes, redacted: true });
    assert.equal(reasonOf(received({ ...pdu, depth: 3 }, version)), 'The event is not signed by one.test');
    assert.notEqual(message(version, { depth: 3 }).eventId, eventId);
  });

  test(`version ${version.id}: references have the form of the version`, () => {
    const { pdu } = message(version);
    const other = version.eventFormat === 'pairs' ? [pdu.prev_events[0]![0]] : [[pdu.prev_events[0], { sha256: 'x' }]];
    assert.match(reasonOf(received({ ...pdu, prev_events: other }, version)), /prev_events is not a list/);
  });
}

test('in versions 1 and 2 the server that the ID names signs, too', () => {
  for (const version of ROOM_VERSIONS) {
    const { pdu } = message(version);
    const named = hashAndSignEvent({ ...pdu, event_id: '$mine:two.test', signatures: {} }, version, 'one.test', TEST_KEY);
    const needsBoth = version.eventFormat === 'pairs';
    assert.deepEqual(requiredSigners(named, version), needsBoth ? ['one.test', 'two.test'] : ['one.test']);
    assert.equal(reasonOf(received(named, version)), needsBoth ? 'The event is not signed by two.test' : 'intact');
    assert.equal(reasonOf(received(addSignature(named, version, 'two.test', TEST_KEY), version)), 'intact');
  }
});

test('an ID that is none, or too long, makes no event', () => {
  const version = ROOM_VERSIONS[0]!;
  const { pdu } = message(version);
  for (const eventId of [undefined, 5, '$', '$a', 'a:one.test', `$${'a'.repeat(250)}:one.test`, `$${'a'.repeat(43)}`]) {
    assert.deepEqual(validateEvent({ ...pdu, event_id: eventId }, version), { valid: false, reason: 'Malformed event: event_id is not an event ID' });
  }
  const longest = message(version, { serverName: `${'a'.repeat(225)}.test` });
  assert.ok(Buffer.byteLength(longest.eventId) <= 255);
});

/** The versions in which the event is taken as it is. */
function versionsWith(change: (pdu: Pdu) => object): string[] {
  return ROOM_VERSIONS.filter((version) => {
    const { pdu } = message(version);
    const changed = { ...pdu, signatures: {}, ...change(pdu) } as Pdu;
    return reasonOf(received(signLoosely(changed, version), version)) === 'intact';
  }).map(({ id }) => id);
}

/** As a server of the time of that version did. */
function signLoosely(event: Pdu, version: RoomVersion): Pdu {
  const loose = { ...version, strictCanonicalJson: false };
  return addSignature({ ...event, hashes: { sha256: contentHash(event, loose) } }, loose, 'one.test', TEST_KEY);
}

test('numbers that are not canonical, and depths beyond 2^53, are of versions before 6', () => {
  assert.deepEqual(versionsWith(() => ({ content: { level: 50.57, small: 1e-7, wide: 2 ** 60 } })), before('6'));
  assert.deepEqual(versionsWith(() => ({ depth: 2 ** 53 })), before('6'));
  assert.deepEqual(versionsWith(() => ({ depth: 2 ** 63 })), before('6'));
  assert.deepEqual(versionsWith(() => ({ depth: 2 ** 64 })), []);
  assert.deepEqual(versionsWith(() => ({ depth: 2 ** 53 - 1 })), before('13'));
  assert.deepEqual(versionsWith(() => ({ depth: 0.5 })), []);
});

test('what follows the deepest event is as deep', () => {
  for (const version of ROOM_VERSIONS) {
    const { pdu, json } = message(version, { depth: 2 ** 63 + 1 });
    const limit = version.strictCanonicalJson ? '9007199254740991' : '9223372036854775807';
    assert.ok(json.includes(`"depth":${limit},`), json);
    const back = received(JSON.parse(json), version);
    assert.deepEqual('eventId' in back && [Buffer.from(back.bytes).toString(), back.pdu.depth], [json, pdu.depth]);
  }
});
