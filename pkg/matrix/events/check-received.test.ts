import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { CREATOR, TEST_KEY } from '../../../test/kit/room-state.ts';
import type { StateLookup } from '../auth/power-levels.ts';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { verifyEvent } from '../signing/sign-event.ts';
import type { StateSet } from '../state-res/conflicts.ts';
import { slotOf } from '../state-res/slot.ts';
import { checkIntegrity, checkReceived } from './check-received.ts';
import type { ReceivedOutcome } from './check-received.ts';
import { EVENT_BYTES_MAX } from './check-size.ts';
import type { EventDraft, Pdu } from './pdu.ts';

const ALICE = '@alice:one.test';
const BOB = '@bob:two.test';

const topic = (sender: string): EventDraft => ({ type: 'm.room.topic', sender, state_key: '', content: { topic: 't' } });
const member = (sender: string, target: string, membership: string): EventDraft => ({ type: 'm.room.member', sender, state_key: target, content: { membership } });
const outcomeOf = (received: ReceivedOutcome): string => `${received.outcome} ${'step' in received ? received.step : ''}: ${'reason' in received ? received.reason : ''}`;

interface Given {
  readonly before?: StateSet;
  readonly current?: StateSet;
  readonly unknown?: string;
  readonly rejected?: string;
}

/** The outcome for an event of the room, by default with the state after the newest event as state before and as current state. */
function receive(dag: RoomDag, value: unknown, { before, current, unknown, rejected }: Given = {}): ReceivedOutcome {
  const lookup = (state: StateSet): StateLookup => (type, stateKey) => dag.pdu(state.get(slotOf(type, stateKey)) ?? '');
  const { version } = dag;
  return checkReceived({
    value,
    version,
    signedBy: (serverName, event) => verifyEvent(event, version, { serverName, keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey }),
    authEvents: (eventId) => {
      const event = eventId === unknown ? undefined : dag.pdu(eventId);
      return event && { event, rejected: eventId === rejected };
    },
    stateBefore: lookup(before ?? dag.stateAfter()),
    currentState: lookup(current ?? dag.stateAfter()),
  });
}

for (const versionId of ['1', '2', '3', '5', '6', '9', '10', '11', '12']) {
  describe(`v${versionId}`, () => {
    test('an event that passes all', () => {
      const dag = startRoom(versionId);
      const before = dag.stateAfter();
      const { pdu, eventId } = dag.add(topic(ALICE));
      const received = receive(dag, { ...pdu, unsigned: { age: 5 } }, { before });
      assert.deepEqual(received, { outcome: 'accepted', event: { eventId, roomId: dag.roomId, pdu, bytes: Buffer.from(canonicalJson(pdu)), redacted: false } });
    });

    test('the create event', () => {
      const dag = startRoom(versionId);
      const received = receive(dag, dag.pdu(dag.createId), { before: new Map(), current: new Map() });
      assert.equal(received.outcome, 'accepted');
      assert.equal('event' in received && received.event.roomId, dag.roomId);
    });

    test('1. what is no event, or too large', () => {
      const dag = startRoom(versionId);
      const { pdu } = dag.add(topic(ALICE));
      assert.match(outcomeOf(receive(dag, { ...pdu, sender: 'alice' })), /^dropped : Malformed event: sender/);
      const large = dag.add({ ...topic(ALICE), content: { topic: 'x'.repeat(EVENT_BYTES_MAX) } });
      assert.match(outcomeOf(receive(dag, large.pdu)), /^dropped : The event is too large/);
    });

    test('2. a signature that is missing or for something else', () => {
      const dag = startRoom(versionId);
      const { pdu } = dag.add(topic(ALICE));
      assert.match(outcomeOf(receive(dag, { ...pdu, signatures: {} })), /^dropped : The event is not signed by one.test/);
      assert.match(outcomeOf(receive(dag, { ...pdu, depth: 99 })), /^dropped : The event is not signed by one.test/);
      const join = dag.add({ ...member(BOB, BOB, 'join'), content: { membership: 'join', join_authorised_via_users_server: '@x:five.test' } });
      const { 'five.test': _gone, ...signatures } = join.pdu.signatures;
      assert.match(outcomeOf(receive(dag, { ...join.pdu, signatures })), dag.version.restrictedJoin ? /^dropped : The event is not signed by five.test/ : /^(accepted|rejected)/);
    });

    test('3. a content that was changed on the way is redacted, and the rest goes on', () => {
      const dag = startRoom(versionId);
      const before = dag.stateAfter();
      const { pdu, eventId } = dag.add(topic(ALICE));
      const received = receive(dag, { ...pdu, content: { topic: 'changed' } }, { before });
      assert.equal(received.outcome, 'accepted');
      assert.ok('event' in received);
      assert.deepEqual({ ...received.event.pdu, json: Buffer.from(received.event.bytes).toString() }, { ...pdu, content: {}, json: canonicalJson({ ...pdu, content: {} }) });
      assert.deepEqual([received.event.eventId, received.event.redacted], [eventId, true]);
    });

    test('4. auth events that are unknown, rejected or do not allow it', () => {
      const dag = startRoom(versionId);
      const before = dag.stateAfter();
      const { pdu } = dag.add(topic(ALICE));
      const levels = before.get(slotOf('m.room.power_levels', '')) as string;
      const unknown = receive(dag, pdu, { before, unknown: levels });
      assert.deepEqual('missing' in unknown && [unknown.outcome, unknown.missing], ['incomplete', [levels]]);
      assert.match(outcomeOf(receive(dag, pdu, { before, rejected: levels })), /^rejected 4: The auth events hold a rejected/);
      const bobs = dag.add(topic(BOB));
      assert.match(outcomeOf(receive(dag, bobs.pdu, { before })), /^rejected 4: @bob:two.test may not send/);
    });

    test('4. the create event of the room', () => {
      const dag = startRoom(versionId);
      const { pdu } = dag.add(topic(ALICE));
      const unknown = receive(dag, pdu, { unknown: dag.createId });
      assert.deepEqual('missing' in unknown && unknown.missing, [dag.createId]);
      assert.match(outcomeOf(receive(dag, pdu, { rejected: dag.createId })), /^rejected 4: .*create/);
    });

    test('5. the state before it does not allow it', () => {
      const dag = startRoom(versionId);
      const { pdu } = dag.add(topic(ALICE));
      const banned = dag.send(member(CREATOR, ALICE, 'ban'));
      assert.match(outcomeOf(receive(dag, pdu, { before: dag.stateAfter(banned) })), /^rejected 5: @alice:one.test is not joined/);
    });

    test('6. only the current state does not allow it', () => {
      const dag = startRoom(versionId);
      const before = dag.stateAfter();
      const { pdu } = dag.add(topic(ALICE));
      const banned = dag.send(member(CREATOR, ALICE, 'ban'));
      assert.match(outcomeOf(receive(dag, pdu, { before, current: dag.stateAfter(banned) })), /^softFailed 6: @alice:one.test is not joined/);
    });
  });
}

test('the signed bytes are at hand for whoever checks the signature', () => {
  const dag = startRoom('12');
  const { pdu } = dag.add(topic(ALICE));
  const seen: [string, Pdu][] = [];
  const event = checkIntegrity({ value: pdu, version: dag.version, signedBy: (serverName, signed, essentials) => {
    seen.push([serverName, signed]);
    return Buffer.from(essentials).toString().includes('"type":"m.room.topic"');
  } });
  assert.ok('eventId' in event);
  assert.deepEqual(seen, [['one.test', pdu]]);
});
