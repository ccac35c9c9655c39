/** Who is ignored is not heard, but for what they change in rooms' states; the list counts as it is now, and no token goes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, NOTHING_NEW } from '../../../test/kit/sync-world.ts';
import { usersOnList } from '../visibility/ignored-users.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const bodies = (events: any): string[] => events.map((event: any) => event.content.body ?? event.type);

async function prepare() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  const world = await createSyncWorld(log);
  const ignore = (userId: string, ...users: string[]) =>
    world.applyUser({ userId, accountData: { roomId: '', type: 'm.ignored_user_list', content: Buffer.from(JSON.stringify({ ignored_users: Object.fromEntries(users.map((user) => [user, {}])) })) } });
  return { log, room, world, ignore, path: `/rooms/${encodeURIComponent(room.roomId)}` };
}

test('what an ignored user says is in no sync, page or context, what they set is; afterwards only what is new comes', async () => {
  const { room, world, ignore, path } = await prepare();
  room.member(bob, 'join');
  await world.apply();
  const begin = (await world.sync(alice)).next_batch;
  await ignore(alice, bob);
  const said = room.say(bob, 'unheard');
  room.say(alice, 'heard');
  room.state('m.room.topic', '', { topic: 'set by bob' }, bob);
  await world.apply();
  const answer = await world.sync(alice, { since: begin });
  const { timeline } = answer.rooms.join[room.roomId];
  assert.deepEqual([bodies(timeline.events), timeline.limited], [['heard', 'm.room.topic'], false]);
  assert.deepEqual(bodies((await world.sync(alice)).rooms.join[room.roomId].timeline.events).slice(-2), ['heard', 'm.room.topic']);
  const page = await world.get(alice, `${path}/messages`, { dir: 'b', limit: '2' });
  assert.deepEqual(bodies(page.chunk), ['m.room.topic', 'heard']);
  assert.equal((await world.get(alice, `${path}/event/${said.eventId}`)).status, 404);
  assert.deepEqual(bodies((await world.get(bob, `${path}/messages`, { dir: 'b', limit: '3' })).chunk), ['m.room.topic', 'heard', 'unheard'], 'others hear it');

  room.say(bob, 'unheard again');
  await world.apply();
  const quiet = await world.sync(alice, { since: answer.next_batch });
  assert.deepEqual(Object.keys(quiet), NOTHING_NEW, 'nothing to wake up for');
  await ignore(alice);
  const changed = await world.sync(alice, { since: quiet.next_batch });
  assert.deepEqual(changed.rooms, undefined, 'what was missed does not come');
  room.say(bob, 'heard at last');
  await world.apply();
  assert.deepEqual(bodies((await world.sync(alice, { since: changed.next_batch })).rooms.join[room.roomId].timeline.events), ['heard at last']);
  await world.close();
});

test('invites by ignored users are not shown, in rooms that are here and elsewhere; other invites are', async () => {
  const { log, room, world, ignore } = await prepare();
  const elsewhere = new RoomHistory(log, { name: 'far', creator: '@zoe:elsewhere.test', elsewhere: true });
  const other = new RoomHistory(log, { name: 'two', creator: carol });
  room.member(bob, 'invite', { sender: alice });
  other.member(bob, 'invite', { sender: carol });
  elsewhere.outside(bob, 'invite', { sender: '@zoe:elsewhere.test' });
  await world.apply();
  assert.deepEqual(Object.keys((await world.sync(bob)).rooms.invite).sort(), [room.roomId, elsewhere.roomId, other.roomId].sort());
  await ignore(bob, alice, '@zoe:elsewhere.test');
  assert.deepEqual(Object.keys((await world.sync(bob)).rooms.invite), [other.roomId]);
  await ignore(bob, carol);
  assert.deepEqual(Object.keys((await world.sync(bob)).rooms.invite).sort(), [room.roomId, elsewhere.roomId].sort());
  await world.close();
});

test('a list that has not the form ignores nobody, and nobody ignores themselves', () => {
  for (const content of ['{}', '{"ignored_users":[]}', '{"ignored_users":"@bob:x"}', '[]']) assert.equal(usersOnList(content, alice).size, 0);
  assert.deepEqual([...usersOnList(`{"ignored_users":{"${alice}":{},"${bob}":null}}`, alice)], [bob]);
});
