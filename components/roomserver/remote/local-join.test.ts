import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, BOB, CAROL, createRoomDriver, eventIdIn, member, message, newRoom } from '../../../test/kit/room-driver.ts';

test('joins of a room whose users of this server are in memory, and what is said there, ask the tables for nothing more', async () => {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: 'public' });
  await driver.send(room.input);
  const { processor } = driver;
  let asked = 0;
  const loadMore = processor.loadMore!.bind(processor);
  processor.loadMore = (input) => {
    asked += 1;
    return loadMore(input);
  };
  for (const answer of await driver.batch([member(room.roomId, BOB, BOB, 'join'), message(room.roomId, BOB, 'hi')])) eventIdIn(answer);
  assert.equal(asked, 0);
  for (let partition = 0; partition < 4; partition += 1) processor.forget(partition);
  eventIdIn(await driver.send(member(room.roomId, CAROL, CAROL, 'join')));
  assert.equal(asked, 1);
  eventIdIn(await driver.send(message(room.roomId, ALICE, 'hi')));
  eventIdIn(await driver.send(member(room.roomId, CAROL, CAROL, 'leave')));
  eventIdIn(await driver.send(member(room.roomId, CAROL, CAROL, 'join')));
  assert.equal(asked, 1);
  await driver.close();
});
