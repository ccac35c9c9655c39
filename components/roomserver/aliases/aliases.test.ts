import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, assertRefused, BOB, createRoomDriver, input, newRoom, PARTITIONS, START_MS, type RoomDriver } from '../../../test/kit/room-driver.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { RoomInput, SetAlias } from '../../../schemas/log/room-input.ts';
import { roomQuery } from '../index.ts';

const TEA = '#tea:test.example';
const PLAIN = { userId: ALICE, reservedUntilMs: 0, movedFrom: '' };
const set = (alias: string, wish: Partial<SetAlias> & { roomId: string }): RoomInput => input(alias, { setAlias: { ...PLAIN, ...wish } });
const drop = (roomId: string, reservedOnly = false): RoomInput => input(TEA, { deleteAlias: { roomId, reservedOnly } });
const withAlias = (made: ReturnType<typeof newRoom>, alias: string): RoomInput => ({ ...made.input, createRoom: { ...made.input.createRoom!, alias } });

async function scene(work: (driver: RoomDriver) => Promise<void>): Promise<void> {
  const driver = await createRoomDriver();
  try {
    await work(driver);
  } finally {
    await driver.close();
  }
}

test('an alias belongs to a partition of its own, and points to its room until it is deleted', () => scene(async (driver) => {
  const room = newRoom();
  const query = roomQuery(driver.database);
  assert.ok(['a', 'b', 'c', 'd', 'e'].some((name) => partitionOf(PARTITIONS, `#${name}:test.example`) !== partitionOf(PARTITIONS, room.roomId)));
  assertRefused(await driver.send(set(TEA, { roomId: room.roomId })), 404, 'M_NOT_FOUND');
  await driver.send(room.input);
  assert.deepEqual(await driver.send(set(TEA, { roomId: room.roomId })), { ok: {} });
  assert.deepEqual(await query.alias(TEA), { roomId: room.roomId, creator: ALICE });
  assert.deepEqual(await query.aliasesOf(room.roomId), [TEA]);
  assertRefused(await driver.send(set(TEA, { roomId: room.roomId, userId: BOB })), 409, 'M_UNKNOWN');
  assertRefused(await driver.send(drop('!other:test.example')), 404, 'M_NOT_FOUND');
  assertRefused(await driver.send(drop(room.roomId, true)), 404, 'M_NOT_FOUND');
  assert.deepEqual(await driver.send(drop(room.roomId)), { ok: {} });
  assert.equal(await query.alias(TEA), undefined);
  assertRefused(await driver.send(drop(room.roomId)), 404, 'M_NOT_FOUND');
  assert.equal(driver.outputs.every(({ output }) => output.event), true, 'nobody has to be told');
}));

test('within one batch, who comes first has the alias', () => scene(async (driver) => {
  const [one, two] = [newRoom({ name: 'one' }), newRoom({ name: 'two' })];
  await driver.batch([one.input, two.input]);
  const [first, second, gone, again] = await driver.batch([set(TEA, { roomId: one.roomId }), set(TEA, { roomId: two.roomId }), drop(one.roomId), set(TEA, { roomId: two.roomId })]);
  assert.deepEqual(first, { ok: {} });
  assertRefused(second, 409, 'M_UNKNOWN');
  assert.deepEqual([gone, again], [{ ok: {} }, { ok: {} }]);
  assert.deepEqual(await roomQuery(driver.database).aliasesOf(two.roomId), [TEA]);
}));

test('a reserved alias is nobody else\'s; it counts when its room is there, and is free when no room has come of it in time', () => scene(async (driver) => {
  const [mine, other] = [newRoom({ name: 'mine' }), newRoom({ name: 'other' })];
  const query = roomQuery(driver.database);
  assert.deepEqual(await driver.send(set(TEA, { roomId: mine.roomId, reservedUntilMs: START_MS + 1 })), { ok: {} });
  assert.equal(await query.alias(TEA), undefined, 'there is no room yet');
  assert.deepEqual(await query.aliasesOf(mine.roomId), []);
  assertRefused(await driver.send(set(TEA, { roomId: other.roomId, reservedUntilMs: START_MS + 1 })), 400, 'M_ROOM_IN_USE');
  assertRefused(await driver.send(withAlias(other, TEA)), 400, 'M_ROOM_IN_USE');
  await driver.send(withAlias(mine, TEA));
  assert.deepEqual(await query.alias(TEA), { roomId: mine.roomId, creator: ALICE });
  assertRefused(await driver.send(set(TEA, { roomId: other.roomId, reservedUntilMs: START_MS + 1 })), 400, 'M_ROOM_IN_USE');

  const late = '#late:test.example';
  await driver.send(set(late, { roomId: other.roomId, reservedUntilMs: START_MS + 1 }));
  await driver.database.transaction((tx) => tx.run('UPDATE aliases SET reserved_until = ? WHERE alias = ?', [START_MS, late]));
  assert.deepEqual(await driver.send(set(late, { roomId: mine.roomId })), { ok: {} });
  assertRefused(await driver.send(withAlias(other, late)), 400, 'M_ROOM_IN_USE');
  assert.equal(await query.roomVersion(other.roomId), undefined, 'nothing half-made');
  assertRefused(await driver.send(set(late, { roomId: mine.roomId, reservedUntilMs: START_MS })), 400, 'M_ROOM_IN_USE');
  assertRefused(await driver.send(set('#never:test.example', { roomId: mine.roomId, reservedUntilMs: START_MS })), 504, 'M_UNKNOWN');
}));

test('a reservation is given back as long as there is no room', () => scene(async (driver) => {
  const room = newRoom();
  await driver.send(set(TEA, { roomId: room.roomId, reservedUntilMs: START_MS + 1 }));
  assertRefused(await driver.send(drop(room.roomId)), 404, 'M_NOT_FOUND');
  assert.deepEqual(await driver.send(drop(room.roomId, true)), { ok: {} });
  assertRefused(await driver.send(withAlias(room, TEA)), 400, 'M_ROOM_IN_USE');
}));

test('an alias moves from the room that it is to move from, and only once', () => scene(async (driver) => {
  const [old, next, third] = [newRoom({ name: 'old' }), newRoom({ name: 'next' }), newRoom({ name: 'third' })];
  await driver.batch([old.input, next.input, third.input]);
  await driver.send(set(TEA, { roomId: old.roomId, userId: BOB }));
  const move = (): RoomInput => set(TEA, { roomId: next.roomId, movedFrom: old.roomId });
  assert.deepEqual(await driver.batch([move(), move()]), [{ ok: {} }, { ok: {} }]);
  assert.deepEqual(await roomQuery(driver.database).alias(TEA), { roomId: next.roomId, creator: BOB });
  assertRefused(await driver.send(set(TEA, { roomId: third.roomId, movedFrom: old.roomId })), 409, 'M_UNKNOWN');
  assertRefused(await driver.send(set('#none:test.example', { roomId: third.roomId, movedFrom: old.roomId })), 404, 'M_NOT_FOUND');
}));

test('what no database can hold is refused', () => scene(async (driver) => {
  assertRefused(await driver.send(set('#a\0b:test.example', { roomId: '!a:b' })), 400, 'M_INVALID_PARAM');
  assertRefused(await driver.send(set(TEA, { roomId: '!a\0:b' })), 400, 'M_INVALID_PARAM');
}));
