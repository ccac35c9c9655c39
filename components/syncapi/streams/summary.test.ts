import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const user = (name: string): string => `@${name}:history.test`;

async function heroesIn(act: (room: RoomHistory) => void, who = alice): Promise<string[]> {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  act(room);
  const world = await createSyncWorld(log);
  await world.apply();
  const heroes = (await world.sync(who)).rooms.join[room.roomId].summary['m.heroes'];
  await world.close();
  return heroes;
}

test('the heroes are the eldest joined and invited members but the user', async () => {
  const invite = (room: RoomHistory, name: string): unknown => room.member(user(name), 'invite', { sender: alice });
  const join = (room: RoomHistory, name: string): unknown => room.member(user(name), 'join');
  assert.deepEqual(await heroesIn((room) => [invite(room, 'i1'), join(room, 'j1'), invite(room, 'i2'), ...[2, 3, 4, 5, 6, 7, 8].map((n) => join(room, `j${n}`))]), ['i1', 'j1', 'i2', 'j2', 'j3'].map(user));
  assert.deepEqual(await heroesIn((room) => [1, 2, 3, 4, 5, 6, 7, 8].map((n) => invite(room, `i${n}`))), ['i1', 'i2', 'i3', 'i4', 'i5'].map(user));
  assert.deepEqual(await heroesIn((room) => [1, 2, 3, 4, 5, 6, 7].map((n) => join(room, `j${n}`)), user('j3')), [alice, ...['j1', 'j2', 'j4', 'j5'].map(user)]);
  assert.deepEqual(await heroesIn((room) => [join(room, 'gone'), room.member(user('gone'), 'leave'), room.member(user('banned'), 'ban', { sender: alice })]), ['gone', 'banned'].map(user));
  assert.deepEqual(await heroesIn((room) => [join(room, 'gone'), room.member(user('gone'), 'leave'), join(room, 'here')]), [user('here')]);
  assert.deepEqual(await heroesIn(() => undefined), []);
});
