import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { ALICE, allRows, createRoomDriver, eventIdIn, message, newRoom, PARTITIONS, SERVER, state, type TestRoom } from '../../../test/kit/room-driver.ts';
import { createEventCache } from '../receive/event-cache.ts';
import { stateRef } from '../storage/refs.ts';
import { createHeadCache } from './head-cache.ts';
import { loadPicture } from './load.ts';
import { headOf, setState, type RoomHead } from './room-head.ts';

const VERSION = roomVersion('12')!;

/** A head with `members` in memory, like one read from the tables: nothing of it is shared with another. */
function headWith(number: number, members: number, partition = 0): RoomHead {
  const roomId = `!room${number}:${SERVER}`;
  const row = { roomId, roomVersion: '12', partition, creator: ALICE, createEventId: `$c${number}`, orderKey: 1, depth: 1, stateId: 1, stateDepth: 1, lastStateId: 1, extremities: [`$tip${number}`] };
  const head = headOf(row, VERSION, false);
  for (let member = 0; member < members; member += 1) {
    const userId = `@member${number}.${member}:${SERVER}`;
    setState(head, 'm.room.member', userId, { eventId: `$event${number}.${member}-0123456789012345678901234567890123`, pdu: pduOf(roomId, userId) });
  }
  return head;
}

function pduOf(roomId: string, userId: string): Pdu {
  return JSON.parse(JSON.stringify({
    type: 'm.room.member', room_id: roomId, sender: userId, state_key: userId, content: { membership: 'join', displayname: `Name of ${userId}`, avatar_url: `mxc://${SERVER}/${'a'.repeat(24)}` },
    depth: 12, origin_server_ts: 1_700_000_000_000, hashes: { sha256: 'h'.repeat(43) }, signatures: { [SERVER]: { 'ed25519:1': 's'.repeat(86) } },
    prev_events: [`$${'p'.repeat(43)}`], auth_events: ['a', 'b', 'c', 'd'].map((letter) => `$${letter.repeat(43)}`),
  })) as Pdu;
}

test('between batches the heads keep within the budget, and those go first that were used least lately', () => {
  const one = headWith(0, 3).bytes;
  const cache = createHeadCache(20 * one);
  const batch = cache.batch();
  const ids = Array.from({ length: 100 }, (_, number) => headWith(number, 3)).map((head) => (batch.put(head), head.roomId));
  assert.equal(cache.size().rooms, 100, 'a batch keeps what it uses');
  cache.get(ids[3]!);
  cache.trim(ids);
  assert.ok(cache.size().bytes <= 20 * one && cache.size().rooms >= 19, JSON.stringify(cache.size()));
  assert.ok(cache.get(ids[3]!) && cache.get(ids[99]!) && !cache.get(ids[80]!) && !cache.get(ids[0]!));
});

test('a head that grows beyond its share keeps its room and loses what it has loaded', () => {
  const cache = createHeadCache(160_000);
  const [big, small] = [headWith(1, 20), headWith(2, 2)];
  const batch = cache.batch();
  batch.put(big);
  batch.put(small);
  cache.trim([big.roomId, small.roomId]);
  assert.deepEqual([cache.get(big.roomId)!.state.size, cache.get(small.roomId)!.state.size, big.complete], [0, 2, false]);
  assert.ok(cache.size().bytes < 10_000);
});

test('what a batch has put after its partition was forgotten does not come back', () => {
  const cache = createHeadCache(1_000_000);
  const batch = cache.batch();
  batch.put(headWith(1, 1, 1));
  batch.put(headWith(2, 1, 2));
  cache.forget(1);
  batch.put(headWith(3, 1, 1));
  assert.deepEqual([cache.size().rooms, cache.get(`!room2:${SERVER}`) !== undefined], [1, true]);
});

test('a batch of more rooms than the budget holds does what as many small batches do', async () => {
  const rooms = Array.from({ length: 60 }, (_, number) => newRoom({ name: `r${number}` }));
  const [tiny, ample] = [await createRoomDriver({ headBytesMax: 12_000 }), await createRoomDriver()];
  const rounds = [rooms.map(({ input }) => input), ...[0, 1].map((round) => rooms.flatMap(({ roomId }) => [message(roomId, ALICE, `m${round}`), state(roomId, ALICE, ['m.room.topic', ''], { topic: `${round}` })]))];
  for (const round of rounds) {
    for (const answer of await tiny.batch(round)) assert.ok('ok' in answer, JSON.stringify(answer));
    for (const input of round) await ample.send(input);
  }
  assert.deepEqual(await allRows(tiny.database), await allRows(ample.database));
  await Promise.all([tiny.close(), ample.close()]);
});

/** Puts members into the tables of the room, as if they had joined. */
async function crowd(database: Database, { roomId }: TestRoom, members: number): Promise<void> {
  const partition = partitionOf(PARTITIONS, roomId);
  const users = Array.from({ length: members }, (_, number) => `@m${number}:${SERVER}`);
  await database.transaction(async (tx) => {
    await tx.insertMany({
      into: 'events', columns: ['event_id', 'room_id', 'partition', 'type', 'state_key', 'sender', 'depth', 'origin_server_ts', 'history_visibility', 'input_id', 'device_id', 'txn_id', 'json'],
      rows: users.map((userId) => [`$${userId}`, roomId, partition, 'm.room.member', userId, userId, 1, 1, 'shared', '', '', '', Buffer.from(JSON.stringify(pduOf(roomId, userId)))]),
    });
    await tx.insertMany({
      into: 'current_state', columns: ['state_ref', 'room_id', 'type', 'state_key', 'event_id', 'membership'],
      rows: users.map((userId) => [stateRef(roomId, 'm.room.member', userId), roomId, 'm.room.member', userId, `$${userId}`, 'join']),
    });
  });
}

test('the head of a room of 50,000 members holds only whom its events ask for', async () => {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: 'public' });
  await driver.send(room.input);
  await crowd(driver.database, room, 50_000);
  const heads = createHeadCache(1_000_000);
  const speakers = [3, 7, 49_999].map((number) => message(room.roomId, `@m${number}:${SERVER}`, 'hello'));
  const picture = await loadPicture({ database: driver.database, heads, serverName: SERVER, recent: createEventCache(1_000_000), kept: { take: () => undefined } }, speakers.map((input) => ({ input, partition: 0 })));
  const head = picture.heads.get(room.roomId)!;
  assert.ok(head.state.size <= 10 && head.bytes < 20_000, `${head.state.size} entries, ${head.bytes} bytes`);
  driver.processor.forget(partitionOf(PARTITIONS, room.roomId));
  assert.ok(eventIdIn(await driver.send(speakers[2]!)));
  await driver.close();
});

test('what heads are estimated to weigh is not less than what they take in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const heads = Array.from({ length: 2000 }, (_, number) => headWith(number, 10));
  collect();
  const taken = process.memoryUsage().heapUsed - before;
  const estimated = heads.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(taken < estimated && estimated < 3 * taken, `${taken} bytes are taken, ${estimated} estimated`);
});
