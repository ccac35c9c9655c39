import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { authEventIds } from '../events/pdu.ts';
import type { EventDraft, Pdu } from '../events/pdu.ts';
import { authDifference, conflictedSubgraph } from './auth-chains.ts';
import { conflictedEvents, conflictedSlots } from './conflicts.ts';
import type { StateSet } from './conflicts.ts';
import { eventsToLoad, resolveState } from './resolve-state.ts';
import { slotOf } from './slot.ts';

const ALICE = '@alice:one.test';
const BOB = '@bob:two.test';
const CAROL = '@carol:two.test';
const DAVE = '@dave:three.test';
const TOPIC = slotOf('m.room.topic', '');
const LEVELS = slotOf('m.room.power_levels', '');
const RULES = slotOf('m.room.join_rules', '');
const memberSlot = (userId: string): string => slotOf('m.room.member', userId);

const member = (sender: string, target: string, membership: string): EventDraft => ({ type: 'm.room.member', sender, state_key: target, content: { membership } });
const topic = (sender: string, text: string): EventDraft => ({ type: 'm.room.topic', sender, state_key: '', content: { topic: text } });
const rule = (sender: string, joinRule: string): EventDraft => ({ type: 'm.room.join_rules', sender, state_key: '', content: { join_rule: joinRule } });

function levels(dag: RoomDag, sender: string, users: Record<string, number>, more: Record<string, unknown> = {}): EventDraft {
  const creator = dag.version.privilegedCreators ? {} : { [CREATOR]: 100 };
  return { type: 'm.room.power_levels', sender, state_key: '', content: { users: { ...creator, ...users }, ...more } };
}

/** The state with the events of those IDs in place of what it has. */
function change(dag: RoomDag, state: StateSet, ...eventIds: string[]): Map<string, string> {
  const changed = new Map(state);
  for (const eventId of eventIds) {
    const { type, state_key: stateKey } = dag.pdu(eventId)!;
    changed.set(slotOf(type, stateKey!), eventId);
  }
  return changed;
}

for (const versionId of ['2', '3', '6', '9', '10', '11', '12']) {
  describe(`v${versionId}`, () => {
    test('states that agree are passed through', () => {
      const dag = startRoom(versionId);
      assert.deepEqual(dag.resolve([dag.newest]), dag.stateAfter());
      assert.deepEqual(dag.resolve([dag.newest, new Map(dag.stateAfter())]), dag.stateAfter());
      assert.deepEqual(dag.resolve([]), new Map());
    });

    test('a ban wins over what the banned did meanwhile', () => {
      const dag = startRoom(versionId);
      const fork = dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: 50 }));
      const ban = dag.send(member(CREATOR, BOB, 'ban'), { prev: [fork] });
      const theirs = dag.send(topic(BOB, 'mine'), { prev: [fork] });
      const resolved = dag.resolve([ban, theirs]);
      assert.equal(resolved.get(memberSlot(BOB)), ban);
      assert.equal(resolved.get(TOPIC), undefined);
    });

    test('of two changes of power the more powerful sender comes first, and the other is then judged by it', () => {
      const dag = startRoom(versionId);
      const fork = dag.send(levels(dag, CREATOR, { [ALICE]: 75, [BOB]: 50 }, { events: { 'm.room.power_levels': 50 } }));
      const raise = dag.send(levels(dag, BOB, { [ALICE]: 75, [BOB]: 50, [CAROL]: 50 }, { events: { 'm.room.power_levels': 50 } }), { prev: [fork], ts: 1 });
      const demote = dag.send(levels(dag, ALICE, { [ALICE]: 75 }, { events: { 'm.room.power_levels': 50 } }), { prev: [fork], ts: 2 });
      assert.equal(dag.resolve([raise, demote]).get(LEVELS), demote);
    });

    test('of two changes of equally powerful senders the later stands, when the earlier allows it', () => {
      const dag = startRoom(versionId);
      const fork = dag.newest;
      const [first, second] = [1, 2].map((ts) => dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: ts }), { prev: [fork], ts })) as [string, string];
      assert.equal(dag.resolve([first, second]).get(LEVELS), second);
      assert.equal(dag.resolve([second, first]).get(LEVELS), second);
    });

    test('a room closed on one side keeps out who joined on the other', () => {
      const dag = startRoom(versionId);
      const fork = dag.newest;
      const closed = dag.send(rule(CREATOR, 'invite'), { prev: [fork] });
      const joined = dag.send(member(DAVE, DAVE, 'join'), { prev: [fork] });
      const resolved = dag.resolve([closed, joined]);
      assert.equal(resolved.get(RULES), closed);
      assert.equal(resolved.get(memberSlot(DAVE)), undefined);
    });

    test('of two topics the later stands, of equally late ones that of the greater ID', () => {
      const dag = startRoom(versionId);
      const fork = dag.newest;
      const [early, late, same] = [['a', 5], ['b', 9], ['c', 9]].map(([text, ts]) => dag.send(topic(ALICE, text as string), { prev: [fork], ts: ts as number })) as [string, string, string];
      assert.equal(dag.resolve([late, early]).get(TOPIC), late);
      assert.equal(dag.resolve([late, early, same]).get(TOPIC), late > same ? late : same);
    });

    test('a topic under newer power levels stands over a later one under older ones', () => {
      const dag = startRoom(versionId);
      const fork = dag.newest;
      const old = dag.send(topic(ALICE, 'old'), { prev: [fork], ts: 100 });
      dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: 50 }), { prev: [fork], ts: 1 });
      const renewed = dag.send(topic(BOB, 'new'), { ts: 2 });
      assert.equal(dag.resolve([old, renewed]).get(TOPIC), renewed);
    });

    test('without what has to be loaded there is no result', () => {
      const dag = startRoom(versionId);
      const fork = dag.newest;
      const sets = [dag.send(member(CREATOR, BOB, 'ban'), { prev: [fork] }), dag.send(topic(ALICE, 't'), { prev: [fork] })].map((eventId) => dag.stateAfter(eventId));
      const conflicts = conflictedSlots(sets);
      const authEventsOf = (eventId: string): readonly string[] => authEventIds(dag.pdu(eventId)!);
      const loaded = new Set<string>();
      const room = { version: dag.version, roomId: dag.roomId, events: (eventId: string) => (loaded.has(eventId) ? dag.pdu(eventId) : undefined), authEventsOf };
      const input = { ...room, conflicts, authDifference: authDifference({ stateSets: sets, conflicts, authEventsOf }) };
      assert.throws(() => resolveState({ ...room, stateSets: sets }), /was not loaded/);
      let rounds = 0;
      for (let wanted = eventsToLoad(input); wanted.length > 0; wanted = eventsToLoad(input), rounds++) for (const eventId of wanted) loaded.add(eventId);
      assert.ok(rounds <= 3);
      assert.deepEqual(resolveState({ ...room, stateSets: sets }), dag.resolve(sets));
      assert.ok(loaded.size < dag.events.size, 'not all events are needed');
    });

    test('an auth event stands in for a slot that is empty, unless it was rejected', () => {
      const dag = startRoom(versionId);
      const trunk = dag.send(levels(dag, CREATOR, {}, { state_default: 0 }));
      const join = dag.send(member(DAVE, DAVE, 'join'));
      const own = dag.send({ type: 'org.example.own', sender: DAVE, state_key: DAVE, content: {} });
      const room = { version: dag.version, roomId: dag.roomId, events: dag.pdu, stateSets: [dag.stateAfter(trunk), change(dag, dag.stateAfter(trunk), own)], authDifference: [] };
      assert.equal(resolveState(room).get(slotOf('org.example.own', DAVE)), own);
      assert.equal(resolveState({ ...room, isRejected: (eventId) => eventId === join }).get(slotOf('org.example.own', DAVE)), undefined);
    });

    test('power levels that were set back on one side', () => {
      const dag = startRoom(versionId);
      const first = dag.stateAfter().get(LEVELS)!;
      const second = dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: 100 }));
      dag.send(topic(BOB, 'under the second'));
      const third = dag.send(levels(dag, BOB, { [ALICE]: 50, [BOB]: 100, [CAROL]: 75 }));
      // Both sides have the topic, so that the second levels are in no auth difference: version 2 forgets that Bob had the power to set the third.
      const sets = [change(dag, dag.stateAfter(), first), dag.stateAfter()];
      const conflicts = conflictedSlots(sets);
      const authEventsOf = (eventId: string): readonly string[] => authEventIds(dag.pdu(eventId)!);
      assert.equal(authDifference({ stateSets: sets, conflicts, authEventsOf }).has(second), false);
      assert.ok(conflictedSubgraph(conflictedEvents(conflicts.conflicted), authEventsOf).has(second));
      assert.equal(dag.resolve(sets).get(LEVELS), versionId === '12' ? third : first);
    });

    test('who has left did have a say before', () => {
      const dag = startRoom(versionId);
      const fork = dag.newest;
      const rules = ['knock', 'invite'].map((joinRule, index) => dag.send(rule(CREATOR, joinRule), { prev: [fork], ts: index }));
      const left = dag.send(member(CREATOR, CREATOR, 'leave'), { prev: rules });
      const sets = rules.map((eventId) => change(dag, dag.stateAfter(eventId), left));
      assert.equal(dag.resolve(sets).get(RULES), versionId === '12' ? rules[1] : undefined);
    });
  });
}

test('the conflicted subgraph is what lies between conflicted events', () => {
  const cites: Record<string, string[]> = { a: ['b', 'x'], b: ['c'], c: ['d'], d: [], x: ['d'], other: ['c'] };
  assert.deepEqual([...conflictedSubgraph(new Set(['a', 'c']), (eventId) => cites[eventId]!)].sort(), ['a', 'b', 'c']);
  assert.deepEqual([...conflictedSubgraph(new Set(['b', 'x']), (eventId) => cites[eventId]!)].sort(), ['b', 'x']);
});

test('a chain of auth events may be as long as anyone likes', () => {
  const dag = startRoom('12');
  const fork = dag.newest;
  for (let count = 0; count < 3000; count++) dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: count % 50 }));
  const ban = dag.send(member(CREATOR, BOB, 'ban'), { prev: [fork] });
  const newest = dag.accepted.at(-2)!;
  const resolved = dag.resolve([ban, newest]);
  assert.equal(resolved.get(memberSlot(BOB)), ban);
  assert.equal(resolved.get(LEVELS), newest);
});

test('two sides of a room of 50,000 members', () => {
  const dag = startRoom('11');
  const fork = dag.newest;
  const ban = dag.send(member(CREATOR, BOB, 'ban'), { prev: [fork] });
  const renamed = dag.send(topic(ALICE, 'new'), { prev: [fork] });
  const cited = dag.pdu(dag.stateAfter(fork).get(memberSlot(CAROL))!)!.auth_events;
  const crowd = Array.from({ length: 50_000 }, (_, index): [string, string] => [memberSlot(`@user${index}:three.test`), `$member${index}`]);
  const stateSets = [ban, renamed].map((eventId) => new Map([...dag.stateAfter(eventId), ...crowd]));
  const asked = new Set<string>();
  const events = (eventId: string): Pdu | undefined => {
    asked.add(eventId);
    return dag.pdu(eventId);
  };
  const resolved = resolveState({ version: dag.version, roomId: dag.roomId, events, stateSets, authEventsOf: (eventId) => dag.pdu(eventId)?.auth_events ?? cited });
  assert.equal(resolved.size, stateSets[0]!.size + 1);
  assert.equal(resolved.get(memberSlot(BOB)), ban);
  assert.ok(asked.size < 20, 'only events of the conflict are looked at');
});

describe('v1', () => {
  test('of two power levels the deeper stands, if the other allows it', () => {
    const dag = startRoom('1');
    const fork = dag.newest;
    const one = dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: 10 }), { prev: [fork], ts: 9 });
    const note = dag.send({ type: 'm.room.message', sender: BOB, content: {} }, { prev: [fork] });
    const two = dag.send(levels(dag, CREATOR, { [ALICE]: 50, [BOB]: 20 }), { prev: [note], ts: 1 });
    assert.equal(dag.resolve([one, two]).get(LEVELS), two);
    assert.equal(dag.resolve([two, one]).get(LEVELS), two);
  });

  test('what only one side has is no conflict', () => {
    const dag = startRoom('1');
    const fork = dag.newest;
    const ban = dag.send(member(CREATOR, ALICE, 'ban'), { prev: [fork] });
    const theirs = dag.send(topic(ALICE, 't'), { prev: [fork] });
    const resolved = dag.resolve([ban, theirs]);
    assert.deepEqual([resolved.get(memberSlot(ALICE)), resolved.get(TOPIC)], [ban, theirs]);
  });

  test('of two topics the deepest that is allowed stands', () => {
    const dag = startRoom('1');
    const fork = dag.newest;
    const ours = dag.send(topic(CREATOR, 'ours'), { prev: [fork] });
    const ban = dag.send(member(CREATOR, ALICE, 'ban'), { prev: [ours] });
    const note = dag.send({ type: 'm.room.message', sender: BOB, content: {} }, { prev: [fork] });
    const theirs = dag.send(topic(ALICE, 'theirs'), { prev: [note] });
    assert.equal(dag.resolve([ours, theirs]).get(TOPIC), theirs);
    assert.equal(dag.resolve([ban, theirs]).get(TOPIC), ours);
  });
});
