import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import { branch, extremitiesOf, forkInto } from '../../../test/kit/branches.ts';
import { ALICE, assertRefused, BOB, createRoomDriver, eventIdIn, input, member, message, newRoom, PARTITIONS, state, type RoomDriver, type RoomWish } from '../../../test/kit/room-driver.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';
import { findBranched } from './find-branched.ts';

async function forked(branches: number, wish: RoomWish = {}) {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: 'public', ...wish });
  await driver.send(room.input);
  await driver.send(member(room.roomId, BOB, BOB, 'join'));
  const tip = eventIdIn(await driver.send(message(room.roomId, ALICE, 'tip')));
  // Create, join, levels, rules, visibility, Bob, tip.
  const from = { eventId: tip, depth: 7, sender: ALICE };
  await forkInto(driver, room, branches, from);
  assert.equal((await extremitiesOf(driver, room.roomId)).length, branches);
  return { driver, room, from, join: () => driver.send(input(room.roomId, { joinBranches: { extremitiesMax: 10 } })) };
}

interface Stored { prev_events: string[]; auth_events: string[]; type: string; sender: string; content: object }

async function storedEvent(driver: RoomDriver, eventId: string): Promise<Stored & { orderKey: number | null }> {
  const [row] = await driver.database.query<{ json: Uint8Array; order_key: number | null }>('SELECT json, order_key FROM events WHERE event_id = ?', [eventId]);
  return { ...(JSON.parse(unpackText(row!.json)) as Stored), orderKey: row!.order_key };
}

test('given more than ten branches, when the owner looks after them, then an event that no timeline shows joins them; ten are left alone', async () => {
  const { driver, room, join } = await forked(12);
  const before = await extremitiesOf(driver, room.roomId);
  const eventId = eventIdIn(await join());
  assert.deepEqual(await extremitiesOf(driver, room.roomId), [eventId]);
  const dummy = await storedEvent(driver, eventId);
  assert.deepEqual([dummy.type, dummy.sender, dummy.content, dummy.orderKey, dummy.prev_events.toSorted()], ['org.matrix.dummy_event', ALICE, {}, null, before.toSorted()]);
  const told = driver.outputs.at(-1)!.output.event!;
  assert.deepEqual([told.eventId, told.orderKey, told.relayOf], [eventId, 0, '']);
  // The next one takes the place in the timeline that it would have had without.
  await driver.send(message(room.roomId, ALICE, 'next'));
  assert.equal(driver.outputs.at(-1)!.output.event!.orderKey, 7 + 12 + 1);
  assert.deepEqual(await join(), { ok: {} });
  const partition = partitionOf(PARTITIONS, room.roomId);
  const again = (await roomSnapshot(driver.database, partition, 0, 1000)).find(({ output }) => output.event?.eventId === eventId)!;
  assert.deepEqual([again.output.event!.orderKey, again.sequence], [0, driver.outputs.find(({ output }) => output.event?.eventId === eventId)!.sequence]);
  await driver.close();
});

test('given more branches than an event may follow, when somebody speaks, then their event follows twenty and stands in the state of these', async () => {
  const { driver, room, from } = await forked(34);
  const topic = await branch(driver, room, { type: 'm.room.topic', sender: ALICE, state_key: '', content: { topic: 'beside' } }, { events: [from.eventId], depth: from.depth });
  await driver.send(topic.input);
  await forkInto(driver, room, 20, { ...from, sender: BOB });
  assert.equal((await extremitiesOf(driver, room.roomId)).length, 55);
  const eventId = eventIdIn(await driver.send(message(room.roomId, ALICE, 'here')));
  const { prev_events: prevs, auth_events: auths } = await storedEvent(driver, eventId);
  assert.deepEqual([prevs.length, auths.length <= 10, (await extremitiesOf(driver, room.roomId)).length], [20, true, 36]);
  const history = roomHistoryQuery(driver.database);
  const [before, current] = [await history.stateIdsAt([eventId], 'before'), await driver.database.query<{ event_id: string }>('SELECT event_id FROM current_state')];
  assert.equal(prevs.includes(topic.eventId), false);
  assert.equal(before.get(eventId)!.includes(topic.eventId), false, 'the topic is not in the state that the event was sent into');
  assert.equal(current.some(({ event_id: id }) => id === topic.eventId), true, 'it is in the current state');
  const name = eventIdIn(await driver.send(state(room.roomId, ALICE, ['m.room.name', ''], { name: 'n' })));
  assert.deepEqual((await storedEvent(driver, name)).prev_events.length, 20);
  const now = await driver.database.query<{ event_id: string }>('SELECT event_id FROM current_state');
  for (const one of [name, topic.eventId]) assert.ok(now.some(({ event_id: id }) => id === one));
  await driver.close();
});

test('given members of different power, then one that may speak does it, and nobody where none may', async () => {
  const quiet = await forked(11, { version: '11', levels: { events: { 'org.matrix.dummy_event': 90 } } });
  assert.equal((await storedEvent(quiet.driver, eventIdIn(await quiet.join()))).sender, ALICE);
  await quiet.driver.close();
  const left = await forked(11, { version: '11', levels: { events: { 'org.matrix.dummy_event': 90 } } });
  const { driver, room } = left;
  // With the creator gone only Bob is left, who may not.
  const leave = await branch(driver, room, { type: 'm.room.member', sender: ALICE, state_key: ALICE, content: { membership: 'leave' } }, { events: [left.from.eventId], depth: left.from.depth });
  await driver.send(leave.input);
  assertRefused(await left.join(), 403, 'M_FORBIDDEN');
  await driver.close();
});

test('a room is joined when two looks in a row have found too many branches, and the same branches make the same input', async () => {
  const { driver, room, join } = await forked(40);
  const find = findBranched({ database: driver.database, extremitiesMax: 10 });
  const owned = [0, 1, 2, 3];
  assert.deepEqual(await find(owned), []);
  const found = await find(owned);
  assert.deepEqual(found.map((work) => [work.roomId, work.partition, work.kind]), [0, 1].map(() => [room.roomId, partitionOf(PARTITIONS, room.roomId), { joinBranches: { extremitiesMax: 10 } }]));
  assert.equal(new Set(found.map(({ name }) => JSON.stringify(name))).size, 2);
  assert.deepEqual(await find(owned), found);
  assert.deepEqual(await find(owned.filter((partition) => partition !== found[0]!.partition)), []);
  for (const _ of found) await join();
  assert.equal((await extremitiesOf(driver, room.roomId)).length, 2);
  await driver.close();
});
