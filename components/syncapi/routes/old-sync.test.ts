/** What clients used before /sync, and what still serves to look into a room without entering it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (events: any): string[] => events.map((event: any) => event.event_id);

async function prepare(options: { visibility?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  const world = await createSyncWorld(log);
  return { log, room, world, path: `/rooms/${encodeURIComponent(room.roomId)}` };
}

test('an initial sync of the old form has rooms by membership, and /events goes on from it', async () => {
  const { log, room, world } = await prepare();
  const invited = new RoomHistory(log, { name: 'two', creator: carol });
  const left = new RoomHistory(log, { name: 'three', creator: carol });
  room.member(bob, 'join');
  for (let n = 1; n <= 5; n++) room.say(alice, `m${n}`);
  const invite = invited.member(bob, 'invite', { sender: carol });
  left.member(bob, 'join');
  left.member(bob, 'leave');
  await world.applyUser({ userId: bob, accountData: { roomId: room.roomId, type: 'm.tag', content: Buffer.from('{"tags":{}}') } });
  await world.apply();
  const answer = await world.get(bob, '/initialSync', { limit: '2' });
  assert.deepEqual([answer.presence, answer.account_data.map((event: { type: string }) => event.type)], [[], ['m.push_rules']]);
  const byId = new Map<string, { membership: string; messages: { chunk: unknown; start: string; end: string }; state: unknown; account_data: unknown; invite: { event_id: string } }>(
    answer.rooms.map((one: { room_id: string }) => [one.room_id, one]),
  );
  assert.deepEqual([...byId.keys()].sort(), [room.roomId, invited.roomId].sort());
  const joined = byId.get(room.roomId)!;
  assert.deepEqual([joined.membership, ids(joined.messages.chunk)], ['join', room.timeline.slice(-2)]);
  assert.deepEqual(new Set(ids(joined.state)), room.currentState());
  assert.deepEqual(joined.account_data, [{ type: 'm.tag', content: { tags: {} } }]);
  assert.deepEqual([byId.get(invited.roomId)?.membership, byId.get(invited.roomId)?.invite.event_id], ['invite', invite.eventId]);
  const older = await world.get(bob, `/rooms/${encodeURIComponent(room.roomId)}/messages`, { dir: 'b', from: joined.messages.start, limit: '100' });
  assert.deepEqual(ids(older.chunk), room.timeline.slice(0, -2).toReversed());
  const archived = await world.get(bob, '/initialSync', { archived: 'true' });
  assert.equal(archived.rooms.find((one: { room_id: string }) => one.room_id === left.roomId).membership, 'leave');

  const said = room.say(alice, 'news');
  invited.member(bob, 'leave', { sender: carol });
  const again = left.member(bob, 'invite', { sender: carol });
  await world.apply();
  const events = await world.get(bob, '/events', { from: answer.end });
  assert.equal(events.start, answer.end);
  assert.ok([said.eventId, again.eventId].every((eventId) => ids(events.chunk).includes(eventId)));
  assert.ok(events.chunk.every((event: { room_id: string }) => event.room_id.startsWith('!')));
  assert.deepEqual((await world.get(bob, '/events', { from: events.end })).chunk, []);
  for (const from of ['x', 't1']) assert.deepEqual((await world.get(bob, '/events', { from })).status, 400);
  await world.close();
});

test('/events waits for news, also in a room that the user only looks into', async () => {
  const { room, world } = await prepare({ visibility: 'world_readable' });
  await world.apply();
  for (const [who, query] of [[alice, {}], [carol, { room_id: room.roomId }]] as const) {
    const waiting = world.get(who, '/events', { ...query, timeout: '30000' });
    await world.runtime.settle();
    const said = room.say(alice, `for ${who}`);
    await world.apply();
    assert.deepEqual(ids((await waiting).chunk), [said.eventId]);
  }
  await world.close();
});

test('peeking: the room as it is, then what happens there, page by page, for as long as the world may read it', async () => {
  const { room, world, path } = await prepare({ visibility: 'world_readable' });
  for (let n = 1; n <= 12; n++) room.say(alice, `m${n}`);
  await world.apply();
  const snapshot = await world.get(carol, `${path}/initialSync`);
  assert.deepEqual([snapshot.room_id, snapshot.membership, snapshot.visibility], [room.roomId, undefined, 'private']);
  assert.deepEqual(ids(snapshot.messages.chunk), room.timeline.slice(-10));
  assert.deepEqual(new Set(ids(snapshot.state)), room.currentState());
  const older = await world.get(carol, `${path}/messages`, { dir: 'b', from: snapshot.messages.start, limit: '100' });
  assert.deepEqual(ids(older.chunk).at(0), room.timeline.at(-11));
  for (let n = 1; n <= 150; n++) room.say(alice, `n${n}`);
  await world.apply();
  const seen: string[] = [];
  let from = snapshot.messages.end;
  for (;;) {
    const { chunk, end } = await world.get(carol, '/events', { room_id: room.roomId, from });
    from = end;
    if (chunk.length === 0) break;
    seen.push(...ids(chunk));
  }
  assert.deepEqual(seen, room.timeline.slice(-150));
  assert.deepEqual(ids((await world.get(carol, '/events', { room_id: room.roomId, from: snapshot.messages.start })).chunk).at(0), room.timeline.at(-160), 'page tokens serve too');
  const closing = room.state('m.room.history_visibility', '', { history_visibility: 'joined' }, alice);
  room.say(alice, 'among us');
  await world.apply();
  assert.equal((await world.get(carol, '/events', { room_id: room.roomId, from })).status, 403);
  assert.equal((await world.get(carol, `${path}/initialSync`)).status, 403);
  room.member(carol, 'join');
  await world.apply();
  assert.deepEqual(ids((await world.get(carol, '/events', { room_id: room.roomId, from })).chunk), [closing.eventId, room.timeline.at(-1)]);
  assert.equal((await world.get(carol, `${path}/initialSync`)).membership, 'join');
  await world.close();
});

test('a room that was left is shown as it was then, and one event is found without its room', async () => {
  const { room, world, path } = await prepare();
  const hidden = room.say(alice, 'x');
  room.member(bob, 'join');
  const leave = room.member(bob, 'leave');
  room.say(alice, 'after');
  await world.apply();
  const snapshot = await world.get(bob, `${path}/initialSync`, { limit: '1' });
  assert.deepEqual([snapshot.membership, ids(snapshot.messages.chunk)], ['leave', [leave.eventId]]);
  const outcome = async (who: string, eventId: string) => {
    const { event_id: found, status } = await world.get(who, `/events/${encodeURIComponent(eventId)}`);
    return found ?? status;
  };
  assert.deepEqual(await Promise.all([outcome(bob, hidden.eventId), outcome(carol, hidden.eventId), outcome(bob, '$nothing')]), [hidden.eventId, 404, 404]);
  assert.equal((await world.get(carol, '/events', { room_id: room.roomId })).status, 403);
  await world.close();
});
