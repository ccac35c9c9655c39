/** Invites to rooms that this server is not in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, NOTHING_NEW } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const zoe = '@zoe:elsewhere.test';
const NAME = { type: 'm.room.name', state_key: '', sender: zoe, content: { name: 'Shared' } };

async function scene() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'shared', creator: zoe, elsewhere: true });
  return { room, world: await createSyncWorld(log) };
}

test('an invite comes with what its server tells of the room, and the member event', async () => {
  const { room, world } = await scene();
  const { next_batch: since } = await world.sync(alice);
  const wholeEvent = { ...NAME, type: 'm.room.topic', content: { topic: 'T' }, hashes: {}, signatures: {}, depth: 4 };
  const malformed = [5, null, { type: 'm.room.name' }, { ...NAME, content: 'x' }, { ...NAME, state_key: 5 }, { ...NAME, type: 'm.room.member', state_key: alice }];
  room.outside(alice, 'invite', { sender: zoe, stripped: [NAME, wholeEvent, ...malformed] });
  await world.apply();
  const expected = [
    NAME,
    { ...NAME, type: 'm.room.topic', content: { topic: 'T' } },
    { type: 'm.room.member', state_key: alice, sender: zoe, content: { membership: 'invite' } },
  ];
  for (const query of [{ since }, {} as Record<string, string>]) {
    const { rooms, next_batch: after } = await world.sync(alice, query);
    assert.deepEqual(rooms, { invite: { [room.roomId]: { invite_state: { events: expected } } } });
    assert.deepEqual(Object.keys(await world.sync(alice, { since: after })), NOTHING_NEW, 'once');
    assert.ok((await world.sync(alice, { since: after, full_state: 'true' })).rooms.invite[room.roomId]);
  }
  assert.equal((await world.sync(bob)).rooms, undefined);
  assert.equal((await world.sync(alice, { filter: JSON.stringify({ room: { not_rooms: [room.roomId] } }) })).rooms, undefined);
  assert.equal((await world.get(alice, `/rooms/${room.roomId}/state`)).status, 403);
});

test('what is no list tells nothing, and the invite is there', async () => {
  const { room, world } = await scene();
  room.outside(alice, 'invite', { sender: zoe, stripped: { no: 'list' } });
  await world.apply();
  assert.equal((await world.sync(alice)).rooms.invite[room.roomId].invite_state.events.length, 1);
});

test('an invite wakes the user who is invited, and nobody else', async () => {
  const { room, world } = await scene();
  await world.apply();
  const waiters = [alice, bob].map((userId) => world.notifier.waiter(userId));
  const ended = waiters.map((waiter) => waiter.wait(1000, new Departure()));
  room.outside(alice, 'invite', { sender: zoe });
  await world.apply();
  await world.runtime.advance(1001);
  assert.deepEqual(await Promise.all(ended), ['woken', 'timeout']);
  for (const waiter of waiters) waiter.close();
});

test('when it is over the room is among the left ones, once, and not in what comes first', async () => {
  const { room, world } = await scene();
  room.outside(alice, 'invite', { sender: zoe });
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  const eventId = room.outside(alice, 'leave');
  await world.apply();
  const answer = await world.sync(alice, { since });
  assert.deepEqual(Object.keys(answer.rooms), ['leave']);
  const left = answer.rooms.leave[room.roomId];
  assert.deepEqual([left.timeline.events.map((event: { event_id: string }) => event.event_id), left.timeline.limited, left.state.events], [[eventId], false, []]);
  assert.equal(left.timeline.events[0].content.membership, 'leave');
  const { state_after: after } = (await world.sync(alice, { since, use_state_after: 'true' })).rooms.leave[room.roomId];
  assert.deepEqual(after.events.map((event: { event_id: string }) => event.event_id), [eventId], 'for who takes no state from the timeline');
  assert.equal((await world.sync(alice, { since: answer.next_batch })).rooms, undefined);
  assert.equal((await world.sync(alice)).rooms, undefined);
  const include = JSON.stringify({ room: { include_leave: true } });
  assert.ok((await world.sync(alice, { filter: include })).rooms.leave[room.roomId]);
  assert.deepEqual((await world.sync(alice, { since, filter: JSON.stringify({ room: { timeline: { limit: 0 } } }) })).rooms.leave[room.roomId].timeline.events, []);
});

test('accepted, the room is among the joined ones only; the invite in its state is no news', async () => {
  const { room, world } = await scene();
  room.outside(alice, 'invite', { sender: zoe, adopt: true });
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  room.importState();
  await world.apply();
  assert.equal((await world.sync(alice, { since })).rooms, undefined);
  room.member(alice, 'join');
  await world.apply();
  const { rooms } = await world.sync(alice, { since });
  assert.deepEqual(Object.keys(rooms), ['join']);
  assert.deepEqual(Object.keys((await world.sync(alice)).rooms), ['join']);
});

test('when somebody else here joins, those who are invited still are, and what becomes of that is told as ever', async () => {
  const { room, world } = await scene();
  room.outside(bob, 'invite', { sender: zoe, adopt: true, stripped: [NAME] });
  await world.apply();
  const { next_batch: since } = await world.sync(bob);
  room.importState(1);
  await world.apply();
  assert.equal((await world.sync(bob, { since })).rooms, undefined);
  room.member(alice, 'join');
  await world.apply();
  assert.ok((await world.sync(bob)).rooms.invite[room.roomId]);
  room.member(bob, 'leave', { sender: zoe });
  await world.apply();
  assert.ok((await world.sync(bob, { since })).rooms.leave[room.roomId]);
  room.member(bob, 'invite', { sender: alice });
  await world.apply();
  const again = (await world.sync(bob)).rooms.invite[room.roomId].invite_state.events;
  assert.ok(again.some((event: { type: string; sender: string }) => event.type === 'm.room.member' && event.sender === alice), 'now the room tells of itself');
});

test('an invite of which the room knows nothing is over when somebody else here joins', async () => {
  const { room, world } = await scene();
  room.outside(bob, 'invite', { sender: zoe });
  room.importState();
  room.member(alice, 'join');
  await world.apply();
  assert.equal((await world.sync(bob)).rooms, undefined);
});

test('an invite to a room that the server has left is there until it is over', async () => {
  const { room, world } = await scene();
  room.importState();
  room.member(alice, 'join');
  room.member(alice, 'leave');
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  room.outside(alice, 'invite', { sender: zoe, stripped: [NAME] });
  await world.apply();
  const invited = await world.sync(alice, { since });
  assert.deepEqual(Object.keys(invited.rooms), ['invite']);
  room.outside(alice, 'leave', { sender: zoe });
  await world.apply();
  const left = await world.sync(alice, { since: invited.next_batch });
  assert.deepEqual(Object.keys(left.rooms), ['leave']);
  assert.equal(left.rooms.leave[room.roomId].timeline.events.length, 1);
});
