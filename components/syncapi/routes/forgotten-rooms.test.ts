/** Rooms that users have left and forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, type SyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const zoe = '@zoe:elsewhere.test';
const INCLUDE_LEAVE = JSON.stringify({ room: { include_leave: true } });

async function scene(batch?: number) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'tea', creator: alice });
  const world = await createSyncWorld(log);
  const forget = (userId = bob): void => void log.append({ roomId: room.roomId, roomVersion: room.version.id, forgotten: { userId } });
  const status = async (path: string, query: Record<string, string> = {}): Promise<number> => (await world.get(bob, `/rooms/${room.roomId}/${path}`, query)).status ?? 200;
  return { room, world, forget, status, apply: () => world.apply(batch) };
}

const leftRooms = async (world: SyncWorld, userId = bob): Promise<string[]> => Object.keys((await world.sync(userId, { filter: INCLUDE_LEAVE })).rooms?.leave ?? {});

for (const batch of [1, undefined]) {
  test(`who forgets a left room reads nothing of it any more, and does not find it among the left ones (batches of ${batch ?? 'all'})`, async () => {
    const { room, world, forget, status, apply } = await scene(batch);
    room.member(bob, 'join');
    const said = room.say(alice, 'hello');
    await apply();
    const { next_batch: since } = await world.sync(bob);
    room.member(bob, 'leave');
    await apply();
    assert.deepEqual(await leftRooms(world), [room.roomId]);
    assert.equal(await status('messages', { dir: 'b' }), 200);
    forget();
    await apply();
    assert.deepEqual(await leftRooms(world), []);
    for (const [path, query, expected] of [['messages', { dir: 'b' }, 403], ['state', {}, 403], ['members', {}, 403], [`event/${said.eventId}`, {}, 404]] as const) {
      assert.equal(await status(path, query), expected, path);
    }
    // Another client of Bob's, which has not heard of the leave, does: of that alone.
    const { leave } = (await world.sync(bob, { since })).rooms;
    assert.deepEqual(leave[room.roomId].timeline.events.map((event: { content: object }) => event.content), [{ membership: 'leave' }]);
    assert.deepEqual(leave[room.roomId].state.events, []);
    assert.ok((await world.sync(alice)).rooms.join[room.roomId], 'nobody else forgets');
    await world.close();
  });
}

test('who joins a forgotten room again remembers it, also within one batch, and may forget it again', async () => {
  const { room, world, forget, status, apply } = await scene();
  room.member(bob, 'join');
  room.say(alice, 'before');
  room.member(bob, 'leave');
  forget();
  room.member(bob, 'join');
  await apply();
  assert.equal(await status('messages', { dir: 'b' }), 200);
  assert.ok((await world.sync(bob)).rooms.join[room.roomId]);
  room.member(bob, 'ban', { sender: alice });
  await apply();
  assert.deepEqual(await leftRooms(world), [room.roomId]);
  forget();
  await apply();
  assert.deepEqual(await leftRooms(world), []);
  room.member(bob, 'leave', { sender: alice });
  await apply();
  assert.deepEqual(await leftRooms(world), [room.roomId], 'what happens to the user there is told');
  await world.close();
});

test('a world-readable room can still be read as by anybody', async () => {
  const { room, forget, status, apply } = await scene();
  room.state('m.room.history_visibility', '', { history_visibility: 'world_readable' }, alice);
  room.member(bob, 'join');
  room.member(bob, 'leave');
  forget();
  await apply();
  assert.equal(await status('messages', { dir: 'b' }), 200);
});

test('a declined invite of another server is forgotten too, until the next one', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'far', creator: zoe, elsewhere: true });
  const world = await createSyncWorld(log);
  room.outside(bob, 'invite', { sender: zoe });
  room.outside(bob, 'leave');
  await world.apply();
  assert.deepEqual(await leftRooms(world), [room.roomId]);
  log.append({ roomId: room.roomId, roomVersion: room.version.id, forgotten: { userId: bob } });
  await world.apply();
  assert.deepEqual(await leftRooms(world), []);
  room.outside(bob, 'invite', { sender: zoe });
  await world.apply();
  assert.ok((await world.sync(bob)).rooms.invite[room.roomId]);
  room.outside(bob, 'leave');
  await world.apply();
  assert.deepEqual(await leftRooms(world), [room.roomId]);
  await world.close();
});
