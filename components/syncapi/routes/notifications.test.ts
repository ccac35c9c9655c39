import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

async function prepare() {
  const log = new HistoryLog();
  const rooms = ['one', 'two'].map((name) => new RoomHistory(log, { name, creator: alice }));
  for (const room of rooms) room.member(bob, 'join');
  const world = await createSyncWorld(log);
  return { log, rooms: rooms as [RoomHistory, RoomHistory], world };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const bodies = (answer: any): string[] => answer.notifications.map((one: any) => one.event.content.body);

test('what notified, newest first over all rooms, page by page', async () => {
  const { rooms, world } = await prepare();
  const said: string[] = [];
  for (let index = 0; index < 7; index += 1) {
    rooms[index % 2]!.say(alice, `m${index}`);
    rooms[index % 2]!.say(bob, 'own');
    said.unshift(`m${index}`);
  }
  await world.apply();
  const seen: string[] = [];
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page = await world.get(bob, '/notifications', { limit: '3', from });
    seen.push(...bodies(page));
    from = page.next_token;
  }
  assert.deepEqual(seen, said);
  assert.deepEqual(bodies(await world.get(alice, '/notifications')), Array(7).fill('own'));
});

test('each says its actions, its room and whether it was read; highlights alone on demand', async () => {
  const { rooms: [room], world } = await prepare();
  const first = room.say(alice, 'plain');
  room.send('m.room.message', alice, { msgtype: 'm.text', body: 'for bob', 'm.mentions': { user_ids: [bob] } });
  room.receipt(bob, first.eventId);
  await world.apply();
  const { notifications } = await world.get(bob, '/notifications');
  const sound = { set_tweak: 'sound', value: 'default' };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  assert.deepEqual(notifications.map((one: any) => [one.event.content.body, one.actions, one.read, one.room_id]), [
    ['for bob', ['notify', sound, { set_tweak: 'highlight' }], false, room.roomId],
    ['plain', ['notify', sound], true, room.roomId],
  ]);
  assert.equal(notifications[1].ts, notifications[1].event.origin_server_ts);
  assert.equal(notifications[1].event.room_id, undefined);
  assert.deepEqual(bodies(await world.get(bob, '/notifications', { only: 'highlight' })), ['for bob']);
});

test('an invite is one, what was before the join is none, what was redacted neither', async () => {
  const { log, world } = await prepare();
  const room = new RoomHistory(log, { name: 'three', creator: alice });
  room.say(alice, 'before');
  const invite = room.member(bob, 'invite', { sender: alice });
  await world.apply();
  const ids = async (): Promise<string[]> => (await world.get(bob, '/notifications')).notifications.map((one: { event: { event_id: string } }) => one.event.event_id);
  assert.deepEqual(await ids(), [invite.eventId]);
  room.member(bob, 'join');
  const after = room.say(alice, 'after');
  await world.apply();
  assert.deepEqual(await ids(), [after.eventId, invite.eventId]);
  room.redact(alice, after.eventId);
  await world.apply();
  assert.deepEqual(await ids(), [invite.eventId]);
  room.member(bob, 'leave');
  await world.apply();
  assert.deepEqual(await ids(), [], 'rooms that were left are not looked through');
});

test('a token or a limit that is none is refused', async () => {
  const { world } = await prepare();
  for (const query of [{ from: 'none' }, { limit: '-1' }, { limit: 'x' }]) assert.equal((await world.get(bob, '/notifications', query as never)).errcode, 'M_INVALID_PARAM');
});
