import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { unpackJson } from '../../../pkg/storage/packed-json.ts';
import { branch, extremitiesOf } from '../../../test/kit/branches.ts';
import { ALICE, assertRefused, BOB, createRoomDriver, eventIdIn, input, member, message, newRoom, PARTITIONS, START_MS, state, type RoomDriver } from '../../../test/kit/room-driver.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { roomQuery } from '../query/room-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';
import { findStates } from './find-states.ts';
import { readPurge, readPurgesUnderWay } from './purge-row.ts';

const OWNED = [0, 1, 2, 3];

/** Of the purge that is under way, what upkeep would append next. */
async function nextSlice(driver: RoomDriver): Promise<RoomInput | undefined> {
  const [purge] = await readPurgesUnderWay(driver.database, OWNED);
  return purge && input(purge.roomId, { purgeSlice: { purgeId: purge.purgeId, afterOrderKey: purge.orderKey } });
}

async function runPurge(driver: RoomDriver): Promise<number> {
  let slices = 0;
  for (let slice = await nextSlice(driver); slice !== undefined; slice = await nextSlice(driver)) {
    // Killed before the commit, and told twice.
    await driver.failedBatch([slice]);
    await driver.batch([slice, { ...slice, inputId: `${slice.inputId} again` }]);
    slices += 1;
  }
  return slices;
}

async function roomWithHistory(messages: number) {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: 'public' });
  await driver.send(room.input);
  await driver.send(member(room.roomId, BOB, BOB, 'join'));
  const said: string[] = [];
  for (let number = 0; number < messages; number += 1) {
    said.push(eventIdIn(await driver.send(message(room.roomId, ALICE, `m${number}`))));
    if (number % 10 === 0) await driver.send(state(room.roomId, ALICE, ['m.room.topic', ''], { topic: `t${number}` }));
  }
  return { driver, room, said, purge: (before: Partial<{ eventId: string; beforeTs: number }>) => driver.send(input(room.roomId, { purgeHistory: { eventId: '', beforeTs: 0, ...before } })) };
}

test('given a history, when what is before an event is purged, then it is nowhere, and the room goes on as it was', async () => {
  const { driver, room, said, purge } = await roomWithHistory(500);
  const [query, history] = [roomQuery(driver.database), roomHistoryQuery(driver.database)];
  const kept = said[400]!;
  const stateBefore = (await query.currentState(room.roomId)).map(({ eventId }) => eventId).sort();
  const statesBefore = await history.stateIdsAt(said.slice(400), 'before');
  const answer = await purge({ eventId: kept });
  assert.ok('ok' in answer && (answer.ok['events'] as number) > 400, JSON.stringify(answer));
  assertRefused(await purge({ eventId: kept }), 409, 'M_UNKNOWN');
  assert.equal(await runPurge(driver), 3);
  const { eventsGone, eventsKept, finishedAt } = (await readPurge(driver.database, room.roomId))!;
  assert.deepEqual([eventsGone, eventsKept, finishedAt > 0], [400, 6 + 40, true]);
  assert.deepEqual(await query.eventsById(said.slice(0, 400)), []);
  assert.deepEqual((await query.currentState(room.roomId)).map(({ eventId }) => eventId).sort(), stateBefore);
  assert.deepEqual(await history.stateIdsAt(said.slice(400), 'before'), statesBefore);
  const topics = await driver.database.query<{ event_id: string }>("SELECT event_id FROM events WHERE type = 'm.room.topic' AND order_key IS NULL");
  assert.equal((await history.stateIdsAt(topics.map((row) => row.event_id), 'after')).size, 0, 'nobody is told a state of the time before');
  const back = await history.backfill({ roomId: room.roomId, from: [said[405]!], limit: 100 });
  assert.deepEqual(back.map(({ eventId }) => eventId).filter((eventId) => said.includes(eventId)), said.slice(400, 406).toReversed());
  assert.equal(await history.timestampToEvent(room.roomId, START_MS + 2, 'b'), undefined);
  assert.ok((await history.authChain([said[450]!], 100)).complete);
  const next = eventIdIn(await driver.send(message(room.roomId, BOB, 'next')));
  assert.deepEqual(await extremitiesOf(driver, room.roomId), [next]);
  await driver.close();
});

test('the records of a purge tell readers where the timeline begins; what is told again of the room has its state and no purged event', async () => {
  const { driver, room, said, purge } = await roomWithHistory(250);
  await purge({ eventId: said[249]! });
  await runPurge(driver);
  const told = driver.outputs.flatMap(({ output }) => output.historyPurged?.toOrderKey ?? []);
  assert.deepEqual(told, [200, 280]);
  const records = await roomSnapshot(driver.database, partitionOf(PARTITIONS, room.roomId), 0, 10_000);
  const shown = records.flatMap(({ output }) => (output.event && output.event.orderKey > 0 ? [output.event.eventId] : []));
  assert.deepEqual(shown, [said[249]]);
  const summed = new Map(records.flatMap(({ output }) => output.event?.stateDelta ?? []).map((change) => [`${change.type} ${change.stateKey}`, change.eventId]));
  assert.deepEqual([...summed.values()].sort(), (await roomQuery(driver.database).currentState(room.roomId)).map(({ eventId }) => eventId).sort());
  await driver.close();
});

test('what is not there cannot be purged, the newest event stays, and a purge by time goes up to the first event of that time', async () => {
  const { driver, room, said, purge } = await roomWithHistory(20);
  assertRefused(await purge({ eventId: '$nothing' }), 404, 'M_NOT_FOUND');
  assertRefused(await driver.send(input('!none:test', { purgeHistory: { eventId: '', beforeTs: 5, } })), 404, 'M_NOT_FOUND');
  assert.deepEqual(await purge({ beforeTs: 1 }), { ok: { events: 0 } });
  await purge({ beforeTs: START_MS * 2 });
  await runPurge(driver);
  const left = await driver.database.query<{ event_id: string }>('SELECT event_id FROM events WHERE room_id = ? AND order_key IS NOT NULL', [room.roomId]);
  assert.deepEqual(left.map((row) => row.event_id), [said.at(-1)]);
  await driver.close();
});

test('states of side branches that only purged events had are collected, from the newest down; those that anything refers to are not', async () => {
  const { driver, room, said, purge } = await roomWithHistory(20);
  const [tip] = await extremitiesOf(driver, room.roomId);
  const [{ depth } = { depth: 0 }] = await driver.database.query<{ depth: number }>('SELECT depth FROM events WHERE event_id = ?', [tip!]);
  // A branch that loses against the current topic, with messages in its states.
  const old = said[0]!;
  const [{ depth: oldDepth } = { depth: 0 }] = await driver.database.query<{ depth: number }>('SELECT depth FROM events WHERE event_id = ?', [old]);
  let at = { events: [old], depth: oldDepth };
  for (let number = 0; number < 6; number += 1) {
    const draft = number % 2 === 0 ? { type: 'org.example.side', state_key: `${number}`, sender: ALICE, content: { number } } : { type: 'm.room.message', sender: ALICE, content: { body: `side ${number}` } };
    const made = await branch(driver, room, draft, at);
    await driver.send(made.input);
    at = { events: [made.eventId], depth: at.depth + 1 };
  }
  const beside = async () => (await driver.database.query<{ state_id: number }>('SELECT DISTINCT state_id FROM state_deltas WHERE sequence = 0 ORDER BY state_id')).map((row) => row.state_id);
  const before = await beside();
  assert.ok(before.length >= 3, `${before.length} states beside the way`);
  const clock = { now: () => 0 } as Parameters<typeof findStates>[0]['clock'];
  const look = async () => {
    const find = findStates({ database: driver.database, clock });
    return [...await find(OWNED), ...await find(OWNED)];
  };
  assert.deepEqual(await look(), [], 'events refer to all of them');
  // Whoever asks for all of them to go is not believed.
  await driver.send(input(room.roomId, { collectStates: { stateIds: before.toReversed() } }));
  assert.deepEqual(await beside(), before);
  // The room goes on, so that both branches are joined, and what was before goes.
  await driver.send(message(room.roomId, ALICE, 'joins'));
  assert.ok(depth > 0);
  await purge({ beforeTs: START_MS * 2 });
  await runPurge(driver);
  const found = await look();
  assert.deepEqual(found.flatMap((work) => work.kind.collectStates!.stateIds), before.toReversed());
  const states = await roomHistoryQuery(driver.database).stateIdsAt(await extremitiesOf(driver, room.roomId), 'after');
  for (const work of found) await driver.send(input(room.roomId, work.kind));
  assert.deepEqual(await beside(), []);
  assert.deepEqual(await roomHistoryQuery(driver.database).stateIdsAt(await extremitiesOf(driver, room.roomId), 'after'), states);
  eventIdIn(await driver.send(state(room.roomId, ALICE, ['m.room.topic', ''], { topic: 'end' })));
  await driver.close();
});

test('what was purged stays away when another server sends it once more; what follows it and stays is followed', async () => {
  const { driver, room, said, purge } = await roomWithHistory(30);
  const again = await roomQuery(driver.database).eventsById([said[3]!, said[19]!, said[25]!]);
  const topics = await driver.database.query<{ event_id: string; json: Uint8Array }>("SELECT event_id, json FROM events WHERE type = 'm.room.topic' ORDER BY order_key LIMIT 1");
  // The head is in memory when the purge begins.
  await purge({ eventId: said[20]! });
  await runPurge(driver);
  const before = await driver.database.query('SELECT order_key, forward_extremities, state_id FROM rooms');
  const told = driver.outputs.length;
  const resend = (eventId: string, pdu: Uint8Array, needId = '') => driver.send(input(room.roomId, { receivePdu: { eventId, pdu, origin: 'two.test', needId, relay: false } }));
  for (const { eventId, pdu } of again) {
    if (eventId === said[25]) assert.deepEqual(await resend(eventId, pdu), { ok: { event_id: eventId, verdict: 'accepted' } });
    else for (const needId of ['', 'need']) assertRefused(await resend(eventId, pdu, needId), 404, 'M_NOT_FOUND');
  }
  for (const { event_id: eventId, json } of topics) assertRefused(await resend(eventId, unpackJson(json)), 404, 'M_NOT_FOUND');
  assert.deepEqual(await driver.database.query('SELECT order_key, forward_extremities, state_id FROM rooms'), before);
  assert.deepEqual([driver.outputs.length, (await driver.database.query('SELECT need_id FROM needs')).length], [told, 0]);
  assert.equal(await roomHistoryQuery(driver.database).historyEnd(room.roomId), undefined);
  await driver.close();
});

test('events that clients never saw go in portions', async () => {
  const { driver, room, said, purge } = await roomWithHistory(520);
  const hidden = said.slice(0, 450);
  await driver.database.transaction(async (tx) => {
    for (const eventId of hidden) await tx.run('UPDATE events SET order_key = NULL, rejected = 1 WHERE event_id = ?', [eventId]);
  });
  await purge({ eventId: said[510]! });
  const left = async () => (await driver.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM events WHERE rejected = 1'))[0]!.n;
  const portions: number[] = [];
  for (let slice = await nextSlice(driver), before = await left(); slice !== undefined; slice = await nextSlice(driver)) {
    await driver.batch([slice]);
    portions.push(before - (await left()));
    before = await left();
  }
  assert.deepEqual([portions.slice(-3), await left()], [[200, 200, 50], 0]);
  assert.equal((await readPurge(driver.database, room.roomId))!.eventsGone, 510);
  await driver.close();
});

test('history from before this server came is purged with the rest', async () => {
  const { driver, room, said, purge } = await roomWithHistory(20);
  await driver.database.transaction(async (tx) => {
    await tx.run('UPDATE events SET order_key = order_key - 300, state_id = NULL WHERE room_id = ? AND order_key <= 10', [room.roomId]);
  });
  await purge({ eventId: said[15]! });
  await runPurge(driver);
  const kept = await driver.database.query<{ event_id: string }>('SELECT event_id FROM events WHERE room_id = ? AND order_key IS NOT NULL ORDER BY order_key', [room.roomId]);
  assert.deepEqual(kept.map((row) => row.event_id).filter((eventId) => said.includes(eventId)), said.slice(15));
  const records = await roomSnapshot(driver.database, partitionOf(PARTITIONS, room.roomId), 0, 10_000);
  const [purged] = records.flatMap(({ output }) => output.historyPurged ?? []);
  const [newest] = records.filter(({ output }) => output.event?.eventId === kept[0]!.event_id);
  assert.deepEqual([purged?.toOrderKey, purged?.toSequence], [newest!.output.event!.orderKey - 1, newest!.sequence - 1]);
  await driver.close();
});
