/** Rooms that the user has left: once when they leave, and with all else for who asks for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (section: any): string[] => section.events.map((event: any) => event.event_id);
const filter = JSON.stringify({ room: { include_leave: true } });

async function leftRoom() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  const world = await createSyncWorld(log);
  const topic = room.state('m.room.topic', '', { topic: 'then' }, alice);
  room.member(bob, 'join');
  await world.apply();
  const { next_batch: whileIn } = await world.sync(bob);
  room.say(alice, 'together');
  const leave = room.member(bob, 'leave');
  room.state('m.room.topic', '', { topic: 'after' }, alice);
  await world.apply();
  const { next_batch: since, rooms } = await world.sync(bob, { since: whileIn });
  return { room, world, topic, leave, since, rooms };
}

test('full_state shows left rooms to who asks for them, with the state of when they were left and no old timeline', async () => {
  const { room, world, topic, leave, since } = await leftRoom();
  assert.equal((await world.sync(bob, { since, full_state: 'true' })).rooms, undefined);
  const archived = (await world.sync(bob, { since, full_state: 'true', filter })).rooms.leave[room.roomId];
  assert.deepEqual([ids(archived.timeline), archived.timeline.limited], [[], false]);
  const state = ids(archived.state);
  assert.ok(state.includes(leave.eventId) && state.includes(topic.eventId));
  assert.equal(state.length, 4);
  const after = (await world.sync(bob, { since, full_state: 'true', use_state_after: 'true', filter })).rooms.leave[room.roomId];
  assert.deepEqual([after.state, new Set(ids(after.state_after))], [undefined, new Set(state)]);
  assert.equal((await world.sync(bob, { since, filter })).rooms, undefined, 'and nothing to others');
  await world.close();
});

test('a room that was left between two syncs is shown up to the leave, in whole with full_state', async () => {
  const { room, world, rooms } = await leftRoom();
  assert.deepEqual(rooms.leave[room.roomId].timeline.events.map((event: { type: string }) => event.type), ['m.room.message', 'm.room.member']);
  const { next_batch: begin } = await world.sync(carol);
  room.member(carol, 'join');
  const left = room.member(carol, 'leave');
  room.say(alice, 'alone again');
  await world.apply();
  const answer = (await world.sync(carol, { since: begin })).rooms.leave[room.roomId];
  assert.equal(ids(answer.timeline).at(-1), left.eventId);
  const full = (await world.sync(carol, { since: begin, full_state: 'true' })).rooms.leave[room.roomId];
  assert.equal(ids(full.timeline).at(-1), left.eventId);
  await world.close();
});

for (const field of ['state', 'state_after'] as const) {
  test(`whose ban is lifted before they sync is told of both, and the state (${field}) of when they were banned`, async () => {
    const { room, world } = await leftRoom();
    const query: Record<string, string> = { use_state_after: `${field === 'state_after'}`, filter };
    room.member(bob, 'join');
    const then = room.current('m.room.topic', '') as string;
    await world.apply();
    const { next_batch: since } = await world.sync(bob, query);
    const last = room.say(alice, 'to be read');
    const ban = room.member(bob, 'ban', { sender: alice });
    const secret = room.state('m.room.topic', '', { topic: 'not for bob' }, alice);
    const unban = room.member(bob, 'leave', { sender: alice });
    room.state('m.room.topic', '', { topic: 'nor this' }, alice);
    await world.apply();
    const told = async (wish: Record<string, string>): Promise<{ timeline: string[]; state: string[]; prevBatch: string }> => {
      const answer = (await world.sync(bob, { ...query, ...wish })).rooms.leave[room.roomId];
      const [timeline, state] = [ids(answer.timeline), ids(answer[field])];
      assert.ok(!state.includes(secret.eventId) && !timeline.includes(secret.eventId));
      assert.equal(state.includes(unban.eventId), field === 'state_after');
      return { timeline, state, prevBatch: answer.timeline.prev_batch };
    };
    const news = [last.eventId, ban.eventId, unban.eventId];
    assert.deepEqual((await told({ since })).timeline, news);
    const wholes: Record<string, string>[] = [{ since, full_state: 'true' }, {}];
    for (const wish of wholes) {
      const whole = await told(wish);
      assert.deepEqual(whole.timeline.slice(-3), news);
      assert.ok([...whole.state, ...whole.timeline].includes(then));
    }
    const cut = await told({ since, filter: JSON.stringify({ room: { timeline: { limit: 1 } } }) });
    assert.deepEqual(cut.timeline, [unban.eventId]);
    const page = await world.get(bob, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '2', from: cut.prevBatch });
    assert.deepEqual(ids({ events: page.chunk }), [ban.eventId, last.eventId], 'what was before it is found from the ban on');
    await world.close();
  });
}

test('an invite that came to nothing has no state but its own end, also on demand', async () => {
  const { room, world } = await leftRoom();
  room.member(carol, 'invite', { sender: alice });
  await world.apply();
  const { next_batch: invited } = await world.sync(carol);
  const declined = room.member(carol, 'leave');
  await world.apply();
  const { next_batch: since } = await world.sync(carol, { since: invited });
  const queries: Record<string, string>[] = [{ since, full_state: 'true', filter }, { filter }];
  for (const query of queries) {
    const { state, timeline } = (await world.sync(carol, query)).rooms.leave[room.roomId];
    assert.deepEqual(ids(state), []);
    assert.ok(ids(timeline).every((eventId) => eventId === declined.eventId || eventId === room.timeline.at(-2)));
    const { state_after: after } = (await world.sync(carol, { ...query, use_state_after: 'true' })).rooms.leave[room.roomId];
    assert.deepEqual(ids(after), [declined.eventId], 'a client that takes no state from the timeline learns here what has become of the invite');
  }
  await world.close();
});

test('who never was in a room is given no token to page back with, as /messages would refuse it', async () => {
  const { room, world } = await leftRoom();
  const { next_batch: begin } = await world.sync(carol);
  const ban = room.member(carol, 'ban', { sender: alice });
  await world.apply();
  const banned = await world.sync(carol, { since: begin });
  assert.deepEqual([ids(banned.rooms.leave[room.roomId].timeline), 'prev_batch' in banned.rooms.leave[room.roomId].timeline], [[ban.eventId], false]);
  assert.equal((await world.get(carol, `/rooms/${room.roomId}/messages`, { dir: 'b' })).status, 403);
  room.member(carol, 'leave', { sender: alice });
  room.member(carol, 'invite', { sender: alice });
  const refusal = room.member(carol, 'leave');
  await world.apply();
  const limit = JSON.stringify({ room: { timeline: { limit: 1 } } });
  const { timeline } = (await world.sync(carol, { since: banned.next_batch, filter: limit })).rooms.leave[room.roomId];
  assert.deepEqual([ids(timeline), Object.keys(timeline)], [[refusal.eventId], ['events', 'limited']]);
  await world.close();
});

for (const [asked, by] of [['invite', alice], ['knock', bob]] as const) {
  test(`who leaves and is outside by ${asked} between two syncs sees that alone, and pages back to what was before the leave: meanwhile, and from the gap that the end tells of`, async () => {
    const { room, world, since: gone } = await leftRoom();
    const joined = room.member(bob, 'join');
    await world.apply();
    const { next_batch: whileIn } = await world.sync(bob, { since: gone });
    const missed = room.say(alice, 'before the leave');
    const leave = room.member(bob, 'leave');
    room.say(alice, 'behind their back');
    const again = room.member(bob, asked, { sender: by });
    await world.apply();
    const { rooms, next_batch: since } = await world.sync(bob, { since: whileIn });
    assert.deepEqual([Object.keys(rooms), Object.keys(rooms[asked])], [[asked], [room.roomId]]);
    const before = async (query: Record<string, string>): Promise<string[]> => {
      const { chunk } = await world.get(bob, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '3', ...query });
      return chunk.map((event: { event_id: string }) => event.event_id).filter((eventId: string) => eventId !== again.eventId);
    };
    assert.deepEqual((await before({})).slice(0, 2), [leave.eventId, missed.eventId]);
    const refusal = room.member(bob, 'leave');
    await world.apply();
    const { timeline } = (await world.sync(bob, { since })).rooms.leave[room.roomId];
    assert.deepEqual([ids(timeline), timeline.limited], [[refusal.eventId], true]);
    assert.deepEqual(await before({ from: timeline.prev_batch }), [leave.eventId, missed.eventId, joined.eventId]);
    await world.close();
  });
}

test('after a long absence the state is what it would have been after a short one', async () => {
  const log = new HistoryLog({ version: 1, partitions: 1 });
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  const away = new RoomHistory(log, { name: 'two', creator: carol });
  const world = await createSyncWorld(log);
  room.member(bob, 'join');
  room.state('m.room.name', '', { name: 'unchanged' }, alice);
  await world.apply();
  const tokens = await Promise.all([alice, bob].map(async (who) => (await world.sync(who)).next_batch));
  for (let n = 0; n < 10_000; n++) away.need();
  for (let n = 0; n < 30; n++) room.member(carol, n % 2 === 0 ? 'join' : 'leave');
  const topic = room.state('m.room.topic', '', { topic: 'changed' }, alice);
  const kept = room.timeline.at(-2);
  for (let n = 0; n < 20; n++) room.say(alice, `m${n}`);
  await world.apply();
  for (const [index, lazy] of [false, true].entries()) {
    const query = { since: tokens[index]!, filter: JSON.stringify({ room: { state: { lazy_load_members: lazy } } }) };
    const joined = (await world.sync(index === 0 ? alice : bob, query)).rooms.join[room.roomId];
    assert.equal(joined.timeline.limited, true);
    const senders = lazy ? [room.timeline[1] as string] : [];
    assert.deepEqual(new Set(ids(joined.state)), new Set([topic.eventId, kept, ...senders]), `lazy: ${lazy}`);
    const after = (await world.sync(alice, { ...query, use_state_after: 'true' })).rooms.join[room.roomId];
    assert.deepEqual(new Set(ids(after.state_after)), new Set([topic.eventId, kept, ...senders]));
  }
  await world.close();
});

test('the summary is told again when the name comes or goes, with the heroes as members', async () => {
  const { room, world } = await leftRoom();
  const lazy = JSON.stringify({ room: { state: { lazy_load_members: true } } });
  let since = (await world.sync(alice, { filter: lazy })).next_batch;
  const next = async () => {
    await world.apply();
    const answer = await world.sync(alice, { since, filter: lazy });
    since = answer.next_batch;
    return answer.rooms.join[room.roomId];
  };
  room.say(alice, 'no change');
  assert.equal((await next()).summary, undefined);
  room.state('m.room.name', '', { name: 'Named' }, alice);
  assert.deepEqual((await next()).summary, { 'm.joined_member_count': 1, 'm.invited_member_count': 0 });
  room.state('m.room.name', '', {}, alice);
  const unnamed = await next();
  assert.deepEqual(unnamed.summary['m.heroes'], [bob]);
  assert.ok(unnamed.state.events.some((event: { state_key: string }) => event.state_key === bob), 'the hero is introduced');
  await world.close();
});
