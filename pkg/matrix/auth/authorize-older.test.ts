/** Rules that only room versions before 10 have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import type { EventDraft } from '../events/pdu.ts';

const ALICE = '@alice:one.test';
const BOB = '@bob:two.test';
const CAROL = '@carol:two.test';
const DAVE = '@dave:three.test';
const VERSIONS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'];

/** The versions in which the event is allowed in the room that `startRoom` makes, after `before`. */
function allowedIn(draft: EventDraft | ((dag: RoomDag) => EventDraft), before: (dag: RoomDag) => unknown = () => undefined): string {
  return VERSIONS.filter((versionId) => {
    const dag = startRoom(versionId);
    before(dag);
    return dag.add(typeof draft === 'function' ? draft(dag) : draft).verdict.allowed;
  }).join(' ');
}

const levels = (content: Record<string, unknown>, sender = CREATOR): EventDraft => ({ type: 'm.room.power_levels', sender, state_key: '', content: { users: { [CREATOR]: 100, [ALICE]: 50 }, ...content } });
const aliases = (sender: string, stateKey?: string): EventDraft => ({ type: 'm.room.aliases', sender, content: {}, ...(stateKey === undefined ? {} : { state_key: stateKey }) });

test('4. of 1 to 5: a server sets its aliases whoever is in the room', () => {
  assert.equal(allowedIn(aliases(DAVE, 'three.test')), '1 2 3 4 5');
  assert.equal(allowedIn(aliases(CREATOR, 'two.test')), '6 7 8 9 10');
  assert.equal(allowedIn(aliases(ALICE)), '6 7 8 9 10');
});

test('11. of 1 and 2: a redaction needs the redact level or an event of the same server', () => {
  const redaction = (sender: string, user: string) => (dag: RoomDag): EventDraft => ({ type: 'm.room.redaction', sender, content: {}, redacts: dag.stateAfter().get(`m.room.member\0${user}`)! });
  assert.equal(allowedIn(redaction(BOB, ALICE)), '3 4 5 6 7 8 9 10');
  assert.equal(allowedIn(redaction(BOB, CAROL)), VERSIONS.join(' '));
  assert.equal(allowedIn(redaction(ALICE, CAROL)), VERSIONS.join(' '));
});

test('levels as strings count up to 9', () => {
  assert.equal(allowedIn(levels({ ban: '75' })), '1 2 3 4 5 6 7 8 9');
  assert.equal(allowedIn(levels({ users: { [CREATOR]: '100', [ALICE]: ' +050 ' } })), '1 2 3 4 5 6 7 8 9');
  assert.equal(allowedIn(levels({ users: { [CREATOR]: '100x' } })), '');
  assert.equal(allowedIn(levels({ users: { [CREATOR]: '1_0' } })), '');
  assert.equal(allowedIn(levels({ users: { alice: 1 } })), '');
  assert.equal(allowedIn(levels({ users: [] })), '');
  const topic: EventDraft = { type: 'm.room.topic', sender: ALICE, state_key: '', content: {} };
  assert.equal(allowedIn(topic, (dag) => dag.add(levels({ state_default: '75' }))), '10');
  assert.equal(allowedIn(topic, (dag) => dag.add(levels({ state_default: ' 050' }))), VERSIONS.join(' '));
});

test('9.6 and 9.7 look at notifications from 6 on', () => {
  const withLevels = { events: { 'm.room.power_levels': 50 } };
  assert.equal(allowedIn(levels({ ...withLevels, notifications: { room: 99 } }, ALICE), (dag) => dag.send(levels(withLevels))), '1 2 3 4 5');
});

test('knocks, restricted joins and both', () => {
  const rule = (joinRule: string) => (dag: RoomDag): unknown => dag.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: joinRule } });
  const member = (membership: string, more: object = {}): EventDraft => ({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership, ...more } });
  const restricted = member('join', { join_authorised_via_users_server: CREATOR });
  assert.equal(allowedIn(member('knock'), rule('knock')), '7 8 9 10');
  assert.equal(allowedIn(member('knock'), rule('knock_restricted')), '10');
  assert.equal(allowedIn(restricted, rule('restricted')), '8 9 10');
  assert.equal(allowedIn(restricted, rule('knock_restricted')), '10');
});
