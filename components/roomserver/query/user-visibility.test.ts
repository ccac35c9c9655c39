import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, BOB, createRoomDriver, eventIdIn, member, message, newRoom, state } from '../../../test/kit/room-driver.ts';
import { roomHistoryQuery } from './room-history-query.ts';

test('what a user may see by the visibility at each event, before, during and after their time in the room', async (context) => {
  const driver = await createRoomDriver();
  context.after(() => driver.close());
  const room = newRoom({ joinRule: 'public' });
  await driver.send(room.input);
  const say = async (body: string) => eventIdIn(await driver.send(message(room.roomId, ALICE, body)));
  const set = async (value: string) => eventIdIn(await driver.send(state(room.roomId, ALICE, ['m.room.history_visibility', ''], { history_visibility: value })));
  const sent: Record<string, string> = {};
  for (const value of ['world_readable', 'shared', 'invited', 'joined']) {
    await set(value);
    sent[`${value} before`] = await say(value);
  }
  sent['their join'] = eventIdIn(await driver.send(member(room.roomId, BOB, BOB, 'join')));
  sent['joined during'] = await say('during');
  sent['their leave'] = eventIdIn(await driver.send(member(room.roomId, BOB, BOB, 'leave')));
  for (const value of ['joined', 'shared', 'world_readable']) {
    await set(value);
    sent[`${value} after`] = await say(value);
  }
  const seen = async (userId: string) => {
    const visible = await roomHistoryQuery(driver.database).visibleToUser(userId, [...Object.values(sent), '$unknown']);
    return Object.keys(sent).filter((name) => visible.has(sent[name]!));
  };
  assert.deepEqual(await seen(BOB), ['world_readable before', 'shared before', 'their join', 'joined during', 'their leave', 'world_readable after']);
  assert.deepEqual(await seen(ALICE), Object.keys(sent));
  assert.deepEqual(await seen('@carol:test'), ['world_readable before', 'world_readable after']);
});
