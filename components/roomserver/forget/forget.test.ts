import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, assertRefused, BOB, createRoomDriver, eventIdIn, input, member, newRoom, PARTITIONS } from '../../../test/kit/room-driver.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { roomSnapshot } from '../index.ts';

const forget = (roomId: string, userId = BOB): RoomInput => input(roomId, { forgetRoom: { userId } });
const DONE = { ok: {} };

test('who has left or was banned forgets, once for each time; who has not must leave first', async () => {
  const driver = await createRoomDriver();
  const room = newRoom();
  const { roomId } = room;
  await driver.send(room.input);
  const told = () => driver.outputs.flatMap(({ output, sequence }) => (output.forgotten ? [[output.forgotten.userId, sequence]] : []));
  assertRefused(await driver.send(forget(roomId, ALICE)), 400, 'M_UNKNOWN');
  assert.deepEqual(await driver.send(forget(roomId)), DONE, 'who never was there has nothing to forget');
  eventIdIn(await driver.send(member(roomId, ALICE, BOB, 'invite')));
  assertRefused(await driver.send(forget(roomId)), 400, 'M_UNKNOWN');
  eventIdIn(await driver.send(member(roomId, BOB, BOB, 'leave')));
  assert.deepEqual(told(), []);
  assert.deepEqual(await driver.batch([forget(roomId), forget(roomId)]), [DONE, DONE]);
  assert.deepEqual(await driver.send(forget(roomId)), DONE);
  assert.equal(told().length, 1);
  eventIdIn(await driver.send(member(roomId, ALICE, BOB, 'ban')));
  assert.deepEqual(await driver.send(forget(roomId)), DONE);
  assert.equal(told().length, 2);
  assert.deepEqual(await driver.send(forget('!nowhere:test.example')), DONE);
  assertRefused(await driver.send(forget(roomId, 'b\0b')), 400, 'M_INVALID_PARAM');

  const partition = partitionOf(PARTITIONS, roomId);
  const again = (await roomSnapshot(driver.database, partition, 0, 1000)).flatMap(({ output, sequence }) => (output.forgotten ? [[output.forgotten.userId, sequence]] : []));
  assert.deepEqual(again, told(), 'a read model that is built anew hears of it');
  await driver.close();
});

test('a user who joins in the same batch has not left', async () => {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: 'public' });
  await driver.send(room.input);
  const answers = await driver.batch([member(room.roomId, BOB, BOB, 'join'), member(room.roomId, BOB, BOB, 'leave'), forget(room.roomId), member(room.roomId, BOB, BOB, 'join'), forget(room.roomId)]);
  assert.deepEqual(answers[2], DONE);
  assertRefused(answers[4], 400, 'M_UNKNOWN');
  await driver.close();
});
