import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Appservices } from '../../../schemas/ports/appservices.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

async function prepare(options: { visibility?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  const world = await createSyncWorld(log);
  return { log, room, world, path: `/rooms/${encodeURIComponent(room.roomId)}` };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (events: any): string[] => events.map((event: any) => event.event_id);

test('pages go both ways without holes or repeats, and end', async () => {
  const { room, world, path } = await prepare();
  for (let n = 1; n <= 25; n++) room.say(alice, `m${n}`);
  await world.apply();
  for (const dir of ['b', 'f']) {
    const seen: string[] = [];
    let from: string | undefined;
    for (let pages = 0; pages < 20; pages++) {
      const page = await world.get(alice, `${path}/messages`, { dir, limit: '4', ...(from === undefined ? {} : { from }) });
      if (from !== undefined) assert.equal(page.start, from);
      seen.push(...ids(page.chunk));
      from = page.end;
      if (from === undefined) break;
    }
    assert.equal(from, undefined);
    assert.deepEqual(dir === 'b' ? seen.toReversed() : seen, room.timeline);
  }
});

test('starts from prev_batch and from a sync token, and stops at `to`', async () => {
  const { room, world, path } = await prepare();
  for (let n = 1; n <= 15; n++) room.say(alice, `m${n}`);
  await world.apply();
  const first = await world.sync(alice);
  const { prev_batch: from } = first.rooms.join[room.roomId].timeline;
  const older = await world.get(alice, `${path}/messages`, { dir: 'b', from, limit: '100' });
  assert.deepEqual(ids(older.chunk).toReversed(), room.timeline.slice(0, -10));
  assert.equal(older.end, undefined);
  room.say(alice, 'm16');
  await world.apply();
  const newer = await world.get(alice, `${path}/messages`, { dir: 'f', from: first.next_batch });
  assert.deepEqual(ids(newer.chunk), room.timeline.slice(-1));
  const back = await world.get(alice, `${path}/messages`, { dir: 'b', from: first.next_batch, limit: '2' });
  assert.deepEqual(ids(back.chunk), [room.timeline.at(-2), room.timeline.at(-3)]);
  const bounded = await world.get(alice, `${path}/messages`, { dir: 'b', to: from, limit: '100' });
  assert.deepEqual(ids(bounded.chunk).toReversed(), room.timeline.slice(-11));
  assert.equal(bounded.end, undefined);
});

test('filters pages, and adds the senders as members when they are loaded lazily', async () => {
  const { room, world, path } = await prepare();
  room.member(bob, 'join', { displayname: 'old name' });
  room.say(bob, 'hello');
  for (let n = 1; n <= 30; n++) room.say(alice, `m${n}`);
  await world.apply();
  const page = await world.get(alice, `${path}/messages`, { dir: 'b', filter: JSON.stringify({ senders: [bob], types: ['m.room.message'], lazy_load_members: true }) });
  assert.deepEqual(page.chunk.map((event: { content: { body: string } }) => event.content.body), ['hello']);
  assert.equal(page.chunk[0].room_id, room.roomId);
  assert.deepEqual(page.state.map((event: { state_key: string }) => event.state_key), [bob]);
});

test('refuses what the spec refuses', async () => {
  const { room, world, path } = await prepare();
  room.member(bob, 'invite', { sender: alice });
  await world.apply();
  const outcome = async (who: string, where: string, query = {}) => {
    const { status, errcode } = await world.get(who, where, query);
    return `${status} ${errcode}`;
  };
  for (const where of ['/messages', '/state', '/state/m.room.create', '/members', '/joined_members']) {
    for (const who of [bob, carol]) assert.equal(await outcome(who, path + where, { dir: 'b' }), '403 M_FORBIDDEN', `${who} ${where}`);
    assert.equal(await outcome(alice, `/rooms/!nowhere:x${where}`, { dir: 'b' }), '403 M_FORBIDDEN');
  }
  assert.equal(await outcome(carol, `${path}/event/${room.timeline[0]}`), '404 M_NOT_FOUND');
  assert.equal(await outcome(alice, `${path}/event/$nothing`), '404 M_NOT_FOUND');
  assert.equal(await outcome(alice, `${path}/state/m.room.name`), '404 M_NOT_FOUND');
  assert.equal(await outcome(alice, `${path}/state/m.room.create/`, { format: 'xml' }), '400 M_INVALID_PARAM');
  assert.equal(await outcome(alice, `${path}/messages`), '400 M_MISSING_PARAM');
  assert.equal(await outcome(alice, `${path}/messages`, { dir: 'x' }), '400 M_INVALID_PARAM');
  assert.equal(await outcome(alice, `${path}/messages`, { dir: 'b', from: 'x' }), '400 M_INVALID_PARAM');
  assert.equal(await outcome(alice, `${path}/messages`, { dir: 'b', filter: '{"types":1}' }), '400 M_BAD_JSON');
  assert.equal(await outcome(alice, `${path}/members`, { membership: 'unsure' }), '400 M_INVALID_PARAM');
});

test('state: all of it, one key, content or event, with and without a trailing slash', async () => {
  const { room, world, path } = await prepare();
  const topic = room.state('m.room.topic', '', { topic: 'x' }, alice);
  room.state('org.example.keyed', 'a/b c', { v: 1 }, alice);
  await world.apply();
  assert.deepEqual(new Set(ids(await world.get(alice, `${path}/state`))), room.currentState());
  assert.deepEqual(await world.get(alice, `${path}/state/m.room.topic`), { topic: 'x' });
  assert.deepEqual(await world.get(alice, `${path}/state/m.room.topic/`), { topic: 'x' });
  assert.deepEqual(await world.get(alice, `${path}/state/org.example.keyed/a%2Fb%20c`), { v: 1 });
  const event = await world.get(alice, `${path}/state/m.room.topic/`, { format: 'event' });
  assert.deepEqual([event.event_id, event.room_id, event.type, event.content], [topic.eventId, room.roomId, 'm.room.topic', { topic: 'x' }]);
});

test('who has left reads what was when they left', async () => {
  const { room, world, path } = await prepare();
  room.state('m.room.topic', '', { topic: 'then' }, alice);
  room.member(bob, 'join');
  const leave = room.member(bob, 'leave');
  room.state('m.room.topic', '', { topic: 'now' }, alice);
  room.member(carol, 'join');
  const after = room.say(alice, 'after');
  await world.apply();
  assert.deepEqual(await world.get(bob, `${path}/state/m.room.topic`), { topic: 'then' });
  assert.ok(ids(await world.get(bob, `${path}/state`)).includes(leave.eventId));
  const { chunk } = await world.get(bob, `${path}/members`);
  assert.deepEqual(chunk.map((event: { state_key: string }) => event.state_key).sort(), [alice, bob]);
  assert.equal((await world.get(bob, `${path}/joined_members`)).status, 403);
  assert.equal((await world.get(bob, `${path}/event/${after.eventId}`)).status, 404);
  assert.equal((await world.get(bob, `${path}/event/${room.timeline[3]}`)).event_id, room.timeline[3]);
  const page = await world.get(bob, `${path}/messages`, { dir: 'b', limit: '1' });
  assert.deepEqual(ids(page.chunk), [leave.eventId]);
});

test('a world-readable room may be read by anybody', async () => {
  const { room, world, path } = await prepare({ visibility: 'world_readable' });
  room.say(alice, 'to the world');
  await world.apply();
  assert.equal((await world.get(carol, `${path}/messages`, { dir: 'b', limit: '1' })).chunk[0].content.body, 'to the world');
  assert.equal((await world.get(carol, `${path}/state/m.room.history_visibility`)).history_visibility, 'world_readable');
});

test('members by membership and at a token; joined members with profiles; joined rooms', async () => {
  const { room, world, path } = await prepare();
  room.member(bob, 'join', { displayname: 'Bob' });
  await world.apply();
  const { next_batch: at } = await world.sync(alice);
  room.member(bob, 'leave');
  room.member(carol, 'invite', { sender: alice });
  await world.apply();
  const members = async (query: Record<string, string>) => {
    const { chunk } = await world.get(alice, `${path}/members`, query);
    return chunk.map((event: { state_key: string; content: { membership: string } }) => `${event.state_key.slice(1, 2)} ${event.content.membership}`).sort();
  };
  assert.deepEqual(await members({}), ['a join', 'b leave', 'c invite']);
  assert.deepEqual(await members({ at }), ['a join', 'b join']);
  assert.deepEqual(await members({ membership: 'join' }), ['a join']);
  assert.deepEqual(await members({ not_membership: 'leave' }), ['a join', 'c invite']);
  assert.deepEqual(await members({ membership: 'leave', not_membership: 'invite' }), ['a join', 'b leave']);
  const prevBatch = 't3';
  assert.deepEqual(await members({ at: prevBatch }), ['a join', 'b join']);
  room.member(bob, 'join', { displayname: 'Bob' });
  await world.apply();
  assert.deepEqual((await world.get(alice, `${path}/joined_members`)).joined, { [alice]: {}, [bob]: { display_name: 'Bob' } });
  assert.deepEqual(await world.get(bob, '/joined_rooms'), { joined_rooms: [room.roomId] });
});

test('an application service lists the members of a room that any of its users is in', async () => {
  const log = new HistoryLog();
  const service = { id: 'bridge', sender: '@bridge:history.test', isRateLimited: false };
  const appservices: Appservices = {
    isEmpty: false, byToken: (token) => (token === 'as-token' ? service : undefined), mayBe: (_, userId) => userId.startsWith('@ghost'),
    mayHaveAlias: () => false, isExclusiveAlias: () => false, isExclusive: () => false,
    requester: () => Promise.resolve({ userId: service.sender, deviceId: '', isGuest: false, isAdmin: false }),
  };
  const world = await createSyncWorld(log, { appservices });
  const [bridged, other] = ['one', 'two'].map((name) => new RoomHistory(log, { name, creator: alice })) as [RoomHistory, RoomHistory];
  bridged.member('@ghost1:history.test', 'join');
  other.member('@ghost2:history.test', 'invite', { sender: alice });
  await world.apply();
  const { joined } = await world.get('as-token', `/rooms/${bridged.roomId}/joined_members`);
  assert.deepEqual(Object.keys(joined).sort(), [alice, '@ghost1:history.test']);
  assert.equal((await world.get('as-token', `/rooms/${other.roomId}/joined_members`)).status, 403);
  assert.equal((await world.get(bob, `/rooms/${bridged.roomId}/joined_members`)).status, 403);
  await world.close();
});

test('members at a time are told to who could see the room then', async () => {
  const { room, world, path } = await prepare({ visibility: 'joined' });
  room.say(alice, 'alone');
  await world.apply();
  const { next_batch: before } = await world.sync(alice);
  room.member(bob, 'join');
  await world.apply();
  const { next_batch: during } = await world.sync(alice);
  room.member(bob, 'leave');
  room.member(carol, 'join');
  await world.apply();
  const { next_batch: after } = await world.sync(alice);
  const count = async (who: string, at: string) => {
    const { chunk, status } = await world.get(who, `${path}/members`, { at });
    return chunk?.length ?? status;
  };
  assert.deepEqual([await count(bob, before), await count(bob, during), await count(bob, after)], [403, 2, 2]);
  assert.deepEqual([await count(alice, before), await count(alice, after), await count(carol, during)], [1, 3, 403]);
  await world.close();
});

test('an event that was redacted before it came is shown as redacted, by whom, whether it is in memory or not', async () => {
  const { room, world, path } = await prepare();
  room.member(bob, 'join');
  const by = room.send('m.room.redaction', bob, { reason: 'oops' });
  const gone = room.send('m.room.message', bob, {}, { redactedBy: by.eventId });
  await world.apply();
  assert.deepEqual(await world.database.query('SELECT event_id, redacted_by FROM redactions'), [{ event_id: gone.eventId, redacted_by: by.eventId }]);
  const { content, unsigned } = await world.get(alice, `${path}/event/${encodeURIComponent(gone.eventId)}`);
  assert.deepEqual([content, unsigned.redacted_because.event_id], [{}, by.eventId]);
  await world.close();
});
