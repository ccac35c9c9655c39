/** The roomserver writes the same rows and answers the same on every database. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { roomHistoryQuery } from '../../../components/roomserver/query/room-history-query.ts';
import { roomQuery } from '../../../components/roomserver/query/room-query.ts';
import { roomSnapshot } from '../../../components/roomserver/query/snapshot.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { ALICE, allRows, BOB, CAROL, createRoomDriver, member, message, newRoom, receipt, redaction, SERVER, state, type RoomDriver } from '../../kit/room-driver.ts';
import { graphOf, HOSTS, seeds, storeGraph, USERS, type GraphEvent } from '../../kit/random-graph.ts';
import { onEachBackend } from './backends.ts';

const space = newRoom({ name: 'space', joinRule: 'public', version: '10' });
const room = newRoom({ name: 'tea', joinRule: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] } });
const sent = [message(room.roomId, ALICE, 'one ☕'), message(room.roomId, BOB, 'two')];
const steps: RoomInput[][] = [
  [space.input, room.input],
  [member(space.roomId, BOB, BOB, 'join'), member(space.roomId, CAROL, CAROL, 'join'), member(room.roomId, BOB, BOB, 'join')],
  [...sent, state(room.roomId, ALICE, ['m.room.topic', ''], { topic: 'a' }), state(room.roomId, ALICE, ['m.room.topic', ''], { topic: 'b' })],
  [member(room.roomId, CAROL, CAROL, 'join'), message(room.roomId, CAROL, 'three')],
];

async function play(driver: RoomDriver): Promise<unknown> {
  const answers: unknown[] = [];
  for (const batch of steps) {
    await driver.failedBatch(batch);
    answers.push(await driver.batch(batch));
    for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
  }
  const events = driver.outputs.map(({ output }) => output.event!.eventId);
  const inputs = [redaction(room.roomId, ALICE, events.at(-1)!), receipt(room.roomId, BOB, events.at(-2)!), receipt(room.roomId, BOB, events.at(-1)!)];
  answers.push(await driver.batch(inputs.map((input, index) => ({ ...input, inputId: `late-${index}`, originServerTs: 1_800_000_000_000 }))));
  const query = roomQuery(driver.database);
  const snapshots = [];
  for (let partition = 0; partition < 4; partition += 1) snapshots.push(JSON.stringify(await roomSnapshot(driver.database, partition, 1, 100)));
  const state = (await query.currentState(room.roomId)).map(({ eventId, orderKey }) => `${orderKey} ${eventId}`).sort();
  return { answers, rows: await allRows(driver.database), snapshots, state, history: await history(driver), byId: (await query.eventsById(events)).length, events: events.length };
}

/** Every question about the past, with its answer. */
async function history(driver: RoomDriver): Promise<unknown> {
  const query = roomHistoryQuery(driver.database);
  const ids = driver.outputs.flatMap(({ output }) => output.event?.eventId ?? []);
  const last = driver.outputs.findLast(({ output }) => output.event && output.roomId === room.roomId)!.output.event!.eventId;
  const idsOf = (events: readonly { eventId: string }[] | undefined) => events?.map(({ eventId }) => eventId);
  const wish = { roomId: room.roomId, latest: [last], earliest: [ids[0]!], minDepth: 3 };
  const keys = [['m.room.topic', ''], ['m.room.member', BOB], ['a\0', '']] as const;
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].map(([key, value]) => JSON.stringify([key, Array.isArray(value) ? value.toSorted() : value])).sort();
  const { eventIds: chain, complete } = await query.authChain([last, 'a\0b'], 100);
  return {
    states: [sorted(await query.stateIdsAt([...ids, 'a\0b'], 'before')), sorted(await query.stateIdsAt(ids, 'after'))],
    keyed: [idsOf(await query.stateAt(last, 'before', keys))?.sort(), (await query.stateAt(last, 'after'))!.length, await query.stateAt('a\0b', 'after')],
    chain: [chain.toSorted(), complete], cut: (await query.authChain([last], 1)).complete,
    missing: [idsOf(await query.missingEvents({ ...wish, limit: 3 })), idsOf(await query.missingEvents({ ...wish, limit: 100 })), await query.missingEvents({ ...wish, roomId: 'a\0b', limit: 5 })],
    backfill: idsOf(await query.backfill({ roomId: room.roomId, from: [last, 'a\0b'], limit: 7 })),
    hosts: [await query.joinedHosts(room.roomId), await query.joinedHosts('a\0b'), await query.joinedHostsAt(last, 'before'), await query.joinedHostsAt(ids[0]!, 'before')],
    visible: [(await query.visibleToServer(SERVER, ids)).size, (await query.visibleToServer('other.example', ids)).size, (await query.visibleToServer('a\0b', ids)).size],
    nearest: [await query.timestampToEvent(room.roomId, 1_750_000_000_000, 'f'), await query.timestampToEvent(room.roomId, 1_750_000_000_000, 'b'), await query.timestampToEvent('a\0b', 1, 'f')],
    memberships: [sorted(await query.membershipsAt(BOB, ids, 'before')), sorted(await query.membershipsAt('a\0b', ids, 'after'))],
  };
}

let expected: unknown;
after(() => assert.ok(expected !== undefined));

onEachBackend('the roomserver', (backend) => {
  test('the same inputs give the same rows, records and answers', async () => {
    const result = (await play(await createRoomDriver({ database: await backend.open() }))) as { byId: number; events: number };
    assert.equal(result.byId, result.events);
    expected ??= result;
    assert.deepEqual(result, expected);
  });

  test('states of forked graphs, and whom they let see what, with the snapshots anywhere', async () => {
    const list = fc.sample(seeds, { seed: 5, numRuns: 20 }).toSorted((left, right) => right.length - left.length)[0]!;
    const events = graphOf(list);
    const database = await backend.open();
    await storeGraph(database, events, list);
    const query = roomHistoryQuery(database);
    const ids = events.map(({ eventId }) => eventId);
    const found = await query.stateIdsAt(ids, 'after');
    for (const { eventId, after: state } of events) assert.deepEqual([...found.get(eventId)!].sort(), [...state.entries.values()].map((event) => event.eventId).sort());
    for (const userId of USERS) {
      const of = (event: GraphEvent) => event.after.entries.get(JSON.stringify(['m.room.member', userId]))?.content.membership ?? 'leave';
      assert.deepEqual(new Map([...await query.membershipsAt(userId, ids, 'after')].sort()), new Map(events.map((event) => [event.eventId, of(event)] as const).sort()));
    }
    assert.ok((await query.visibleToServer(HOSTS[0]!, ids)).size > 0);
  });
});
