import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { createKnownMemberships } from './known-memberships.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

async function prepare(count: number) {
  const log = new HistoryLog({ version: 1, partitions: 4 });
  const rooms = Array.from({ length: count }, (_, index) => new RoomHistory(log, { name: `r${index}`, creator: alice }));
  const world = await createSyncWorld(log);
  await world.apply();
  let whole = 0;
  const reader: Reader = {
    query: (sql, params) => world.database.query(sql, params),
    queryIn: (sql, params, values) => {
      if (sql.includes('FROM memberships ')) whole += 1;
      return world.database.queryIn(sql, params, values);
    },
  };
  const reads = (): number => {
    const before = whole;
    whole = 0;
    return before;
  };
  return { rooms, world, reader, reads };
}

test('memberships in many rooms are read again only when they have changed, whoever has written that', async () => {
  const { rooms: [first, second], world, reader, reads } = await prepare(5);
  const known = createKnownMemberships(reader, { roomsMin: 3, roomsMax: 100 });
  for (let look = 0; look < 2; look += 1) await known.of(alice);
  assert.equal(reads(), 2, 'who asks once is not remembered');
  const before = await known.of(alice);
  first!.say(alice, 'x');
  second!.member(bob, 'join');
  await world.applyQuietly();
  assert.equal(await known.of(alice), before, 'what others do changes nothing');
  assert.equal(reads(), 0);
  first!.member(alice, 'leave');
  await world.applyQuietly();
  assert.equal((await known.of(alice)).get(first!.roomId)?.at(-1)?.membership, 'leave');
  await known.of(alice);
  assert.equal(reads(), 1);
  known.forget([alice]);
  await known.of(alice);
  assert.equal(reads(), 1);
  await world.close();
});

test('few rooms are not remembered, and of many users only as much as there is room for', async () => {
  const { rooms, world, reader, reads } = await prepare(4);
  for (const room of rooms) room.member(bob, 'join');
  await world.applyQuietly();
  const known = createKnownMemberships(reader, { roomsMin: 5, roomsMax: 100 });
  for (let look = 0; look < 3; look += 1) await known.of(alice);
  assert.equal(reads(), 3);
  const narrow = createKnownMemberships(reader, { roomsMin: 1, roomsMax: 5 });
  for (let look = 0; look < 3; look += 1) await narrow.of(alice);
  for (let look = 0; look < 3; look += 1) await narrow.of(bob);
  assert.equal(reads(), 4);
  await narrow.of(alice);
  assert.equal(reads(), 1, 'bob has taken the room');
  await world.close();
});
