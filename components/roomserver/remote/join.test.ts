/** Joins of rooms that this server is not in: what is asked for, what comes of the answer, and how it can fail. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../../../schemas/log/room-input.ts';
import type { RoomOutput } from '../../../schemas/log/room-output.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { START_MS } from '../../../test/kit/room-driver.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { bytesOf } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE, ERIN, fulfilJoin, HERE, importSlice, importStage, joinAnswer, stageOf, type RemoteWorld } from '../../../test/kit/remote-world.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { roomQuery } from '../query/room-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';

const NOTHING = { parked: 0, needs: 0 };
const VIA = { via: ['one.test'] };
const GAVE_UP = '504 M_UNKNOWN';
const UNUSABLE = '502 M_UNKNOWN';

async function currentIds(world: RemoteWorld, roomId: string): Promise<string[]> {
  return (await roomQuery(world.database).currentState(roomId)).map(({ eventId }) => eventId).sort();
}

function idsAfter(dag: RoomDag): string[] {
  return [...dag.stateAfter().values()].sort();
}

function idIn(result: unknown): string {
  assert.ok(typeof result === 'object' && result !== null, `refused: ${String(result)}`);
  return (result as { event_id: string }).event_id;
}

for (const { id: version } of ROOM_VERSIONS) {
  test(`a room of version ${version} is joined: its state comes in slices, then the join on top, and the room goes on from there`, async (context) => {
    const world = await createRemoteWorld(context);
    const dag = startRoom(version);
    const joined = world.member(dag.roomId, 'join', { via: ['one.test', HERE, 'no server', 'two.test', 'one.test'], content: { displayname: 'D', join_authorised_via_users_server: '@evil:x' } });
    const need = await world.need();
    const { userId, membership, via, content } = need.remoteMembership!;
    assert.deepEqual([userId, membership, via, JSON.parse(Buffer.from(content).toString())], [DAVE, 'join', ['one.test', 'two.test'], { membership: 'join', displayname: 'D' }]);
    assert.equal(await world.message(dag.roomId, DAVE), '404 M_NOT_FOUND');
    await world.restart();
    const join = await fulfilJoin(world, dag, need);
    assert.deepEqual(await joined, { room_id: dag.roomId, event_id: join.eventId });
    assert.deepEqual(await currentIds(world, dag.roomId), idsAfter(dag));
    assert.deepEqual(await world.waiting(), NOTHING);

    const outputs = await world.outputs();
    const slices = outputs.flatMap(({ stateSlice }) => stateSlice ?? []);
    assert.deepEqual(slices.map(({ reset }) => reset), slices.map((_, index) => index === 0));
    assert.deepEqual(slices.flatMap(({ changes }) => changes.map(({ eventId }) => eventId)).sort(), [...join.before.values()].sort());
    for (const { changes, pdus } of slices) {
      changes.forEach(({ type, stateKey, membership: told }, index) => {
        const pdu = JSON.parse(Buffer.from(pdus[index]!).toString()) as Pdu;
        assert.deepEqual([pdu.type, pdu.state_key, type === 'm.room.member' ? pdu.content.membership : ''], [type, stateKey, told]);
      });
    }
    const event = outputs.at(-1)!.event!;
    assert.deepEqual([event.eventId, event.orderKey, event.stateDelta.length, event.deviceId, event.txnId], [join.eventId, 1, 1, 'D', 'T']);
    assert.deepEqual([event.stateDelta[0]!.membership, event.stateDelta[0]!.replacedMembership], ['join', '']);

    const sent = idIn(await world.message(dag.roomId, DAVE));
    const [stored] = await roomQuery(world.database).eventsById([sent]);
    assert.deepEqual([prevEventIds(JSON.parse(Buffer.from(stored!.pdu).toString()) as Pdu), stored!.orderKey], [[join.eventId], 2]);
    assert.deepEqual(idIn(await world.member(dag.roomId, 'join', { sender: ERIN })).startsWith('$'), true);
  });
}

test('the snapshot makes the slices and the join again, also while the join is under way', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const joined = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  const join = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'join' } });
  world.stages.set(need.needId, stageOf(dag, join));
  const compare = async () => {
    const told = (await world.outputs()).filter((output) => !output.need).map(comparable);
    for (const limit of [1, 2, 100]) {
      const made: unknown[] = [];
      for (let after = 0, page = await roomSnapshot(world.database, 0, 0, limit); page.length > 0; page = await roomSnapshot(world.database, 0, after, limit)) {
        assert.ok(page.length <= limit);
        made.push(...page.map(({ output }) => comparable(roomOutputCodec.decode(roomOutputCodec.encode(output)))));
        after = page.at(-1)!.sequence;
      }
      assert.deepEqual(made, told);
    }
  };
  await importSlice(world, dag, need, [0, 3]);
  await compare();
  await importSlice(world, dag, need, [3, world.stages.get(need.needId)!.length]);
  await world.answer(dag.roomId, need, joinAnswer(dag, need, join));
  await joined;
  await compare();
});

/** Without what a snapshot does not know, the changes of a slice in an order of their own. */
function comparable({ roomId, roomVersion, event, stateSlice, outsideMembership }: RoomOutput): unknown {
  const slice = stateSlice && { reset: stateSlice.reset, changes: stateSlice.changes.map((change, index) => JSON.stringify([change, Buffer.from(stateSlice.pdus[index]!).toString()])).sort() };
  return { roomId, roomVersion, event: event && { ...event, pdu: Buffer.from(event.pdu).toString() }, slice, outsideMembership };
}

test('without anybody to ask, the room is not found', async (context) => {
  const world = await createRemoteWorld(context);
  assert.equal(await world.member('!room:one.test', 'join', { via: [HERE] }), '404 M_NOT_FOUND');
  assert.equal(await world.member('!room:one.test', 'leave', VIA), '404 M_NOT_FOUND');
  assert.equal(await world.member('!room:one.test', 'join', { ...VIA, content: { displayname: 1 } }), '400 M_BAD_JSON');
  assert.equal(await world.member('!room:one.test', 'join', { ...VIA, content: { x: 1.5 } }), '400 M_BAD_JSON');
  assert.deepEqual([await world.outputs(), await world.waiting()], [[], NOTHING]);
});

test('slices, answers and commands that come twice change nothing', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const first = world.member(dag.roomId, 'join', { ...VIA, inputId: 'same' });
  const need = await world.need();
  const again = world.member(dag.roomId, 'join', { ...VIA, inputId: 'same' });
  const join = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'join' } });
  world.stages.set(need.needId, stageOf(dag, join));
  await importStage(world, dag, need);
  await importSlice(world, dag, need, [3, 5]);
  await importStage(world, dag, need, 4);
  await Promise.all([world.answer(dag.roomId, need, joinAnswer(dag, need, join)), world.answer(dag.roomId, need, { status: 403, errcode: 'M_FORBIDDEN' })]);
  const result = { room_id: dag.roomId, event_id: join.eventId };
  assert.deepEqual(await Promise.all([first, again]), [result, result]);
  await importStage(world, dag, need);
  assert.deepEqual(await currentIds(world, dag.roomId), idsAfter(dag));
  assert.equal((await world.outputs()).filter(({ event }) => event).length, 1);
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});

test('of two users who join at the same time one brings the room, the other finds it', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('12');
  const first = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  const second = world.member(dag.roomId, 'join', { ...VIA, sender: ERIN });
  const join = await fulfilJoin(world, dag, need);
  assert.equal(idIn(await first), join.eventId);
  const [stored] = await roomQuery(world.database).eventsById([idIn(await second)]);
  assert.deepEqual([(JSON.parse(Buffer.from(stored!.pdu).toString()) as Pdu).prev_events, stored!.orderKey], [[join.eventId], 2]);
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});

test('a join that another server refuses is refused as it says, and the next in line asks for itself', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const refused = world.member(dag.roomId, 'join', { ...VIA, inputId: 'same' });
  const need = await world.need();
  const next = world.member(dag.roomId, 'join', { ...VIA, sender: ERIN });
  await world.answer(dag.roomId, need, { status: 403, errcode: 'M_FORBIDDEN', error: 'no' });
  assert.equal(await refused, '403 M_FORBIDDEN');
  const other = await world.need();
  assert.equal(other.remoteMembership!.userId, ERIN);
  await world.answer(dag.roomId, other, { status: 400, errcode: 'M_INVALID_PARAM', error: 'our fault' });
  assert.equal(await next, UNUSABLE);
  assert.deepEqual(await world.waiting(), NOTHING);
  const again = world.member(dag.roomId, 'join', { ...VIA, inputId: 'same' });
  await fulfilJoin(world, dag, await world.need());
  assert.equal(typeof (await again), 'object');
});

test('a join is waited for two minutes and no longer; what comes after that spoils nothing', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const late = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  await world.later(119_000);
  assert.deepEqual(await world.waiting(), { parked: 1, needs: 1 });
  await world.later(2000);
  assert.equal(await late, GAVE_UP);
  assert.deepEqual(await world.waiting(), NOTHING);
  await fulfilJoin(world, dag, need);
  assert.deepEqual([(await world.outputs()).filter((output) => !output.need), await currentIds(world, dag.roomId)], [[], []]);
  assert.equal(await world.message(dag.roomId, DAVE), '404 M_NOT_FOUND');
});

const lies: [what: string, lie: (dag: RoomDag, answer: Partial<Answer>) => Partial<Answer>][] = [
  ['somebody else', (dag, answer) => ({ ...answer, pdu: bytesOf(dag.events.get(dag.accepted[1]!)!.pdu) })],
  ['a leave', (dag, answer) => ({ ...answer, pdu: changed(answer, { content: { membership: 'leave' } }) })],
  ['another room', (dag, answer) => ({ ...answer, pdu: changed(answer, { room_id: '!other:one.test' }) })],
  ['another ID', (dag, answer) => ({ ...answer, eventId: '$other' })],
  ['another version', (dag, answer) => ({ ...answer, roomVersion: '9' })],
  ['no event', (dag, answer) => ({ ...answer, pdu: new Uint8Array(0) })],
];

function changed(answer: Partial<Answer>, change: object): Uint8Array {
  return bytesOf({ ...(JSON.parse(Buffer.from(answer.pdu!).toString()) as object), ...change });
}

for (const [what, lie] of lies) {
  test(`an answer with ${what} is not taken`, async (context) => {
    const world = await createRemoteWorld(context);
    const dag = startRoom('11');
    const joined = world.member(dag.roomId, 'join', VIA);
    const need = await world.need();
    const join = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'join' } });
    world.stages.set(need.needId, stageOf(dag, join));
    await importStage(world, dag, need);
    await world.answer(dag.roomId, need, lie(dag, joinAnswer(dag, need, join)));
    assert.equal(await joined, UNUSABLE);
    assert.equal(await roomQuery(world.database).roomVersion(dag.roomId), undefined);
    assert.deepEqual(await world.waiting(), NOTHING);
  });
}

test('a join that the state does not allow, or without a state, is not taken', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const early = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  const join = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'join' } });
  await world.answer(dag.roomId, need, joinAnswer(dag, need, join));
  assert.equal(await early, UNUSABLE);
  const banned = world.member(dag.roomId, 'join', VIA);
  const second = await world.need();
  dag.send({ type: 'm.room.member', sender: CREATOR, state_key: DAVE, content: { membership: 'ban' } });
  const levels = dag.events.get(dag.accepted[2]!)!.pdu;
  world.stages.set(second.needId, [...stageOf(dag, join), { eventId: '$extra', inState: true, pdu: bytesOf({ ...levels, type: 'org.example.extra' }) }]);
  await importStage(world, dag, second, 100);
  assert.ok((await world.outputs()).at(-1)!.stateSlice!.changes.some(({ eventId }) => eventId === '$extra'));
  await fulfilJoin(world, dag, second);
  assert.equal(await banned, UNUSABLE);
  // The next attempt starts from nothing.
  dag.send({ type: 'm.room.member', sender: CREATOR, state_key: DAVE, content: { membership: 'leave' } });
  const third = world.member(dag.roomId, 'join', VIA);
  await fulfilJoin(world, dag, await world.need());
  assert.equal(typeof (await third), 'object');
  assert.deepEqual(await currentIds(world, dag.roomId), idsAfter(dag));
});

test('what the rules do not allow, what stands on it, and what is of another room, is in no state', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const joined = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  const join = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'join' } });
  // Bob has no power to be promoted by himself; Carol's topic stands on it.
  const [bob, carol] = ['@bob:two.test', '@carol:two.test'];
  const promoted = dag.add({ type: 'm.room.power_levels', sender: bob, state_key: '', content: { users: { [bob]: 100, [carol]: 100 } } });
  assert.equal(promoted.verdict.allowed, false);
  const citing = dag.add({ type: 'm.room.topic', sender: carol, state_key: '', content: { topic: 'x' } });
  const topicPdu = { ...citing.pdu, auth_events: [...citing.pdu.auth_events.filter((id) => id !== join.before.get('m.room.power_levels\0')), promoted.eventId] };
  const levels = [...join.before.values()].find((id) => dag.events.get(id)!.pdu.type === 'm.room.power_levels')!;
  topicPdu.auth_events = topicPdu.auth_events.filter((id) => id !== levels);
  const elsewhere = { ...dag.events.get(dag.accepted[1]!)!.pdu, room_id: '!other:one.test', state_key: ERIN };
  const unknown = { ...dag.events.get(dag.accepted[1]!)!.pdu, auth_events: ['$unknown'], state_key: ERIN };
  world.stages.set(need.needId, [
    ...stageOf(dag, join), { eventId: promoted.eventId, inState: true, pdu: bytesOf(promoted.pdu) }, { eventId: '$topic', inState: true, pdu: bytesOf(topicPdu) },
    { eventId: '$elsewhere', inState: true, pdu: bytesOf(elsewhere) }, { eventId: '$unknowing', inState: true, pdu: bytesOf(unknown) },
  ]);
  await importStage(world, dag, need);
  await world.answer(dag.roomId, need, joinAnswer(dag, need, join));
  assert.equal(typeof (await joined), 'object');
  assert.deepEqual(await currentIds(world, dag.roomId), [...join.before.values(), join.eventId].sort());
  const rows = await world.database.query<{ event_id: string; rejected: number }>('SELECT event_id, rejected FROM events WHERE rejected = 1 OR room_id <> ?', [dag.roomId]);
  assert.deepEqual(rows.map((row) => row.event_id).sort(), [promoted.eventId, '$topic'].sort());
  const query = roomQuery(world.database);
  const taken = ['$elsewhere', '$unknowing', '$topic', join.eventId];
  assert.deepEqual([[...(await query.knownEventIds(taken))].sort(), [...(await query.placedEventIds(taken))]], [['$topic', join.eventId].sort(), [join.eventId]]);
});

test('a room that was left is joined again: its state is another, its timeline goes on', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const first = world.member(dag.roomId, 'join', VIA);
  const join = await fulfilJoin(world, dag, await world.need());
  await first;
  const before = idIn(await world.message(dag.roomId, DAVE));
  idIn(await world.member(dag.roomId, 'leave'));
  dag.send({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'leave' } });
  dag.send({ type: 'm.room.member', sender: '@bob:two.test', state_key: '@bob:two.test', content: { membership: 'leave' } });
  dag.send({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: 'meanwhile' } });
  // Without a server named, those that were in the room are asked.
  const again = world.member(dag.roomId, 'join');
  const need = await world.need();
  assert.deepEqual(need.remoteMembership!.via, ['one.test', 'two.test']);
  const rejoin = await fulfilJoin(world, dag, need);
  assert.equal(idIn(await again), rejoin.eventId);
  assert.deepEqual(await currentIds(world, dag.roomId), idsAfter(dag));
  const sent = idIn(await world.message(dag.roomId, DAVE));
  const events = await roomQuery(world.database).eventsById([join.eventId, before, rejoin.eventId, sent]);
  assert.deepEqual(events.map(({ eventId, orderKey }) => [orderKey, eventId]).sort(), [[1, join.eventId], [2, before], [4, rejoin.eventId], [5, sent]]);
  const history = roomHistoryQuery(world.database);
  const states = await history.stateIdsAt([before, sent], 'after');
  assert.deepEqual([...states.get(sent)!].sort(), idsAfter(dag));
  assert.deepEqual([...states.get(before)!].sort(), [...join.after.values()].sort());
  assert.equal((await world.outputs()).filter(({ stateSlice }) => stateSlice?.reset).length, 2);
});

test('who joins as the last user here leaves brings the room anew, and without its state does not come in', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const first = world.member(dag.roomId, 'join', VIA);
  const join = await fulfilJoin(world, dag, await world.need());
  await first;
  const both = [world.member(dag.roomId, 'leave'), world.member(dag.roomId, 'join', { ...VIA, sender: ERIN })] as const;
  idIn(await both[0]);
  const need = await world.need();
  const { eventId, pdu } = dag.add({ type: 'm.room.member', sender: ERIN, state_key: ERIN, content: { membership: 'join' } });
  await world.answer(dag.roomId, need, { eventId, pdu: bytesOf(pdu), roomVersion: '11' });
  assert.equal(await both[1], UNUSABLE);
  assert.equal((await roomQuery(world.database).roomTip(dag.roomId))!.extremities.includes(join.eventId), false);
  assert.equal((await roomQuery(world.database).currentState(dag.roomId, [['m.room.member', ERIN]])).length, 0);
});

test('events that are known as part of a state only have no place in what others are told of the room\'s past', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('12');
  const joined = world.member(dag.roomId, 'join', VIA);
  const join = await fulfilJoin(world, dag, await world.need());
  await joined;
  const sent = idIn(await world.message(dag.roomId, DAVE));
  const { roomId } = dag;
  const history = roomHistoryQuery(world.database);
  const [outlier] = [...join.before.values()].filter((eventId) => eventId !== dag.createId);
  assert.deepEqual((await history.backfill({ roomId, from: [sent], limit: 10 })).map(({ eventId }) => eventId), [sent, join.eventId]);
  assert.deepEqual(await history.backfill({ roomId, from: [outlier!], limit: 10 }), []);
  assert.deepEqual((await history.missingEvents({ roomId, latest: [sent], earliest: [], limit: 10, minDepth: 0 })).map(({ eventId }) => eventId), [join.eventId]);
  assert.equal((await history.timestampToEvent(roomId, 0, 'f'))!.eventId, sent);
  assert.equal(await history.timestampToEvent(roomId, START_MS + 1, 'b'), undefined);
  assert.deepEqual(await history.visibleToServer('one.test', [outlier!, sent]), new Set([sent]));
  assert.equal(await history.stateAt(outlier!, 'before'), undefined);
  assert.deepEqual([...(await history.stateIdsAt([outlier!, join.eventId], 'before')).keys()], [join.eventId]);
  const chain = await history.authChain([sent], 100);
  assert.ok(chain.complete && chain.eventIds.includes(dag.createId) && chain.eventIds.includes(join.eventId));
  assert.deepEqual(await history.joinedHosts(roomId), ['one.test', HERE, 'two.test']);
  const [stored] = await roomQuery(world.database).eventsById([outlier!]);
  assert.equal(stored!.orderKey, null);
});
