import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, createRoomDriver, input, newRoom, PARTITIONS, type TestRoom } from '../../../test/kit/room-driver.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { roomQuery, roomSnapshot } from '../index.ts';

const list = (roomId: string, isPublic: boolean, network = ''): RoomInput => input(roomId, { setRoomVisibility: { isPublic, network } });
const DONE = { ok: {} };

test('a room is put into lists of the directory and taken out; only changes are told, and a new reader hears of how it stands', async () => {
  const driver = await createRoomDriver();
  const room = newRoom();
  const { roomId } = room;
  const query = roomQuery(driver.database);
  const told = () => driver.outputs.flatMap(({ output }) => (output.published ? [output.published.networks] : []));
  assertRefused(await driver.send(list(roomId, true)), 404, 'M_NOT_FOUND');
  await driver.send(room.input);
  assert.equal(await query.isPublished(roomId), false);
  assert.deepEqual(await driver.send(list(roomId, false)), DONE);
  assert.deepEqual(told(), [], 'it was in no list');
  assert.deepEqual(await driver.batch([list(roomId, true), list(roomId, true), list(roomId, true, 'irc')]), [DONE, DONE, DONE]);
  assert.deepEqual(told(), [[''], ['', 'irc']]);
  assert.equal(await query.isPublished(roomId), true);
  assert.deepEqual(await driver.send(list(roomId, false)), DONE);
  assert.equal(await query.isPublished(roomId), false);
  assert.deepEqual(told().at(-1), ['irc']);
  assert.deepEqual(await driver.send(list(roomId, false, 'irc')), DONE);

  const again = await roomSnapshot(driver.database, partitionOf(PARTITIONS, roomId), 0, 1000);
  assert.deepEqual(again.flatMap(({ output, sequence }) => (output.published ? [[output.published.networks, sequence]] : [])), [[[], driver.outputs.at(-1)!.sequence]]);
  assertRefused(await driver.send(list(roomId, true, 'a\0b')), 400, 'M_INVALID_PARAM');
  await driver.close();
});

test('a room that is made to be listed comes into the directory with its first events, or not at all', async () => {
  const driver = await createRoomDriver();
  const listed = (room: TestRoom, more: object = {}): RoomInput => ({ ...room.input, createRoom: { ...room.input.createRoom!, published: true, ...more } });
  const [room, bad] = [newRoom(), newRoom({ name: 'bad' })];
  const query = roomQuery(driver.database);
  assertRefused(await driver.send(listed(bad, { alias: '#taken:one.test' })), 400, 'M_ROOM_IN_USE');
  assert.deepEqual([driver.outputs, await query.isPublished(bad.roomId)], [[], false]);
  assert.deepEqual(await driver.batch([listed(room), list(room.roomId, true), list(room.roomId, true, 'irc')]), [{ ok: { room_id: room.roomId } }, DONE, DONE]);
  const told = driver.outputs.map(({ output, sequence }) => [output.published?.networks ?? output.event?.eventId.slice(0, 1), sequence]);
  assert.deepEqual(told.slice(-3).map(([what]) => what), ['$', [''], ['', 'irc']]);
  assert.deepEqual(told.map(([, sequence]) => sequence), told.map((_, at) => at + 1), 'no record stands where another one does');
  assert.equal(await query.isPublished(room.roomId), true);
  const again = await roomSnapshot(driver.database, partitionOf(PARTITIONS, room.roomId), 0, 1000);
  assert.deepEqual(again.at(-1)?.output.published, { networks: ['', 'irc'] });
  await driver.close();
});
