/** Rooms shared with other servers: joined by way of one, with forks and state resolution. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, type SyncWorld, NOTHING_NEW } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const zoe = '@zoe:elsewhere.test';
const LAZY = JSON.stringify({ room: { state: { lazy_load_members: true } } });

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (section: any): string[] => section.events.map((event: any) => event.event_id);

interface Scene {
  readonly log: HistoryLog;
  readonly room: RoomHistory;
  readonly world: SyncWorld;
}

/** A room of zoe's that this server is not in. */
async function scene(options: { visibility?: string; version?: string; members?: number } = {}): Promise<Scene> {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'shared', creator: zoe, elsewhere: true, ...options });
  for (let n = 0; n < (options.members ?? 0); n++) room.elsewhere('m.room.member', `@m${n}:elsewhere.test`, { membership: 'join' }, `@m${n}:elsewhere.test`);
  return { log, room, world: await createSyncWorld(log) };
}

for (const version of ['10', '12']) {
  test(`room version ${version}: who joins by way of another server gets the whole state and a timeline that begins with the join`, async () => {
    const { room, world } = await scene({ version, members: 7 });
    await world.apply();
    const { next_batch: since } = await world.sync(alice);
    room.importState(4);
    await world.apply();
    assert.deepEqual(Object.keys(await world.sync(alice, { since })), NOTHING_NEW, 'nobody sees the room before the join');
    assert.equal((await world.get(alice, `/rooms/${room.roomId}/state`)).status, 403);
    const before = room.currentState();
    const join = room.member(alice, 'join').eventId;
    await world.apply();
    for (const query of [{ since }, {} as Record<string, string>]) {
      const joined = (await world.sync(alice, query)).rooms.join[room.roomId];
      assert.deepEqual(ids(joined.timeline), [join]);
      assert.equal(joined.timeline.limited, false);
      assert.deepEqual(new Set(ids(joined.state)), before);
      assert.equal(joined.summary['m.joined_member_count'], 9);
      const page = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', from: joined.timeline.prev_batch });
      assert.deepEqual([page.chunk, page.end], [[], undefined], 'what was before is not here');
    }
  });
}

test('with lazy loading only the members that are needed come; all of them can be asked for', async () => {
  const { room, world } = await scene({ members: 300 });
  room.importState(200);
  room.member(alice, 'join');
  room.say('@m5:elsewhere.test', 'hello');
  await world.apply();
  const joined = (await world.sync(alice, { filter: LAZY })).rooms.join[room.roomId];
  const members = joined.state.events.filter((event: { type: string }) => event.type === 'm.room.member');
  assert.ok(members.length <= 8, `${members.length} members`);
  assert.ok(members.some((event: { state_key: string }) => event.state_key === '@m5:elsewhere.test'));
  assert.equal((await world.get(alice, `/rooms/${room.roomId}/members`)).chunk.length, 302);
});

test('a whole state wakes nobody, nor does something that is asked of another server', async () => {
  const { room, world } = await scene({ members: 250 });
  const other = new RoomHistory(room.log, { name: 'own', creator: alice });
  await world.apply();
  const waiter = world.notifier.waiter(alice);
  waiter.watch([other.roomId]);
  const woken = waiter.wait(1000, new Departure());
  room.importState(100);
  other.need();
  await world.apply();
  await world.runtime.advance(1001);
  assert.equal(await woken, 'timeout');
  waiter.close();
});

test('who comes back gets the state as it is now, a gap, and nothing of it before the join; who stays out hears nothing', async () => {
  const { room, world } = await scene();
  room.importState();
  for (const userId of [alice, bob]) room.member(userId, 'join');
  await world.apply();
  const tokens = { alice: (await world.sync(alice)).next_batch, bob: (await world.sync(bob)).next_batch };
  for (const userId of [alice, bob]) room.member(userId, 'leave');
  await world.apply();
  const left = await world.sync(bob, { since: tokens.bob });
  assert.ok(left.rooms.leave[room.roomId]);
  const topic = room.elsewhere('m.room.topic', '', { topic: 'new' }, zoe);
  room.importState(2);
  await world.apply();
  assert.equal((await world.sync(alice, { since: tokens.alice })).rooms.leave[room.roomId].state.events.some((event: { event_id: string }) => event.event_id === topic), false);
  room.member(alice, 'join');
  await world.apply();
  const joined = (await world.sync(alice, { since: tokens.alice })).rooms.join[room.roomId];
  assert.equal(joined.timeline.limited, true);
  assert.ok(ids(joined.state).includes(topic));
  assert.equal(joined.summary['m.joined_member_count'], 2);
  assert.equal((await world.sync(bob, { since: left.next_batch })).rooms, undefined, 'the same leave in the new state is no news');
});

test('no timeline reaches back to before the state began anew, where it would undo what the room has become meanwhile', async () => {
  const { room, world } = await scene();
  const stay = (userId: string): readonly string[] => {
    room.importState();
    return [room.member(userId, 'join'), room.say(userId, 'hello'), room.member(userId, 'leave')].map(({ eventId }) => eventId);
  };
  room.importState();
  room.member(alice, 'join');
  room.state('m.room.topic', '', { topic: 'old' }, alice);
  room.member(alice, 'leave');
  const topic = room.elsewhere('m.room.topic', '', { topic: 'new' }, zoe);
  const second = stay(alice);
  await world.apply();
  const before = (await world.sync(alice)).next_batch;
  const gone = JSON.stringify({ room: { include_leave: true } });
  for (const othersCameBack of [false, true]) {
    if (othersCameBack) stay(bob);
    await world.apply();
    const left = (await world.sync(alice, { filter: gone })).rooms.leave[room.roomId];
    assert.deepEqual([ids(left.timeline), left.timeline.limited], [second, true]);
    assert.ok(ids(left.state).includes(topic));
  }
  room.importState();
  const join = room.member(alice, 'join').eventId;
  await world.apply();
  for (const query of [{}, { since: before }] as Record<string, string>[]) {
    const joined = (await world.sync(alice, query)).rooms.join[room.roomId];
    assert.deepEqual([ids(joined.timeline), joined.timeline.limited], [[join], true]);
    assert.ok(ids(joined.state).includes(topic));
    const page = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', from: joined.timeline.prev_batch, limit: '100' });
    assert.equal(page.chunk.length, 9, 'what was before is found by paging back');
  }
});

test('a member or a setting that state resolution takes back changes with the event that did it', async () => {
  const { log, room, world } = await scene({ visibility: 'joined' });
  room.importState();
  room.member(alice, 'join');
  const invite = room.member(bob, 'invite', { sender: zoe }).eventId;
  const join = room.member(bob, 'join').eventId;
  await world.apply();
  const since = (await world.sync(bob)).next_batch;
  const setting = room.elsewhere('m.room.history_visibility', '', { history_visibility: 'world_readable' }, zoe);
  const before = room.current('m.room.history_visibility', '');
  const name = room.state('m.room.name', '', { name: 'N' }, zoe).eventId;
  const questions = log.questions;
  room.say(alice, 'resolved', { changes: [
    { type: 'm.room.member', stateKey: bob, eventId: invite, replaces: join, membership: 'invite', replacedMembership: 'join' },
    { type: 'm.room.name', stateKey: '', eventId: '', replaces: name },
    { type: 'm.room.history_visibility', stateKey: '', eventId: setting, replaces: before },
  ] });
  await world.apply();
  assert.equal(log.questions, questions + 1, 'only the setting has to be asked for');
  assert.ok((await world.sync(bob, { since })).rooms.invite[room.roomId]);
  assert.equal((await world.get(alice, `/rooms/${room.roomId}/state/m.room.name`)).status, 404);
  assert.equal((await world.get('@nobody:history.test', `/rooms/${room.roomId}/state/m.room.topic`)).status, 404, 'the world may read it now');
  assert.deepEqual((await world.sync(alice)).rooms.join[room.roomId].summary, { 'm.heroes': [zoe, bob], 'm.joined_member_count': 2, 'm.invited_member_count': 1 });
});

test('a change by state resolution reaches a client whose timeline is complete', async () => {
  const { room, world } = await scene();
  room.importState();
  room.member(alice, 'join');
  const [one, two] = ['one', 'two'].map((topic) => room.state('m.room.topic', '', { topic }, alice).eventId as string);
  await world.apply();
  const since = (await world.sync(alice)).next_batch;
  room.say(alice, 'resolved', { changes: [{ type: 'm.room.topic', stateKey: '', eventId: one as string, replaces: two as string }] });
  await world.apply();
  const joined = (await world.sync(alice, { since })).rooms.join[room.roomId];
  assert.deepEqual(ids(joined.state), [one]);
  assert.equal(joined.timeline.limited, false);
});

test('records of older writers, which do not tell memberships, are understood', async () => {
  const { log, room, world } = await scene();
  room.importState();
  room.member(alice, 'join');
  const invite = room.member(bob, 'invite', { sender: zoe }).eventId;
  const join = room.member(bob, 'join').eventId;
  room.say(alice, 'resolved', { changes: [{ type: 'm.room.member', stateKey: bob, eventId: invite, replaces: join }] });
  await world.apply();
  assert.equal(log.questions, 1);
  assert.ok((await world.sync(bob)).rooms.invite[room.roomId]);
});

test('an event of another branch is seen by who was in the room there, whatever the room thinks now', async () => {
  const { log, room, world } = await scene({ visibility: 'joined' });
  room.importState();
  room.member(alice, 'join');
  room.member(bob, 'join');
  await world.apply();
  const since = (await world.sync(bob)).next_batch;
  const secret = room.say(zoe, 'before you came', { elsewhere: { [alice]: 'join', [bob]: 'leave' } }).eventId;
  const open = room.say(zoe, 'for all', { elsewhere: { [alice]: 'join', [bob]: 'join' } }).eventId;
  const lost = room.state('m.room.topic', '', { topic: 'lost' }, zoe, { elsewhere: { [alice]: 'join', [bob]: 'join' } }).eventId;
  await world.apply();
  assert.deepEqual(ids((await world.sync(bob, { since })).rooms.join[room.roomId].timeline), [open, lost]);
  assert.equal(log.pastQuestions, 1, 'one question for all rows');
  assert.deepEqual(ids((await world.sync(alice, { since })).rooms.join[room.roomId].timeline), [secret, open, lost]);
  const page = await world.get(bob, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '3' });
  assert.deepEqual(page.chunk.map((event: { event_id: string }) => event.event_id), [lost, open, room.timeline[1]]);
  assert.equal((await world.get(bob, `/rooms/${room.roomId}/event/${encodeURIComponent(secret)}`)).status, 404);
  assert.equal((await world.get(bob, `/rooms/${room.roomId}/event/${encodeURIComponent(open)}`)).unsigned.membership, 'join');
  assert.equal((await world.get(bob, `/rooms/${room.roomId}/state/m.room.topic`)).status, 404, 'it did not become the state');
});

test('shared history is for those who have joined since, also where it came late', async () => {
  const { room, world } = await scene({ visibility: 'shared' });
  room.importState();
  room.member(alice, 'join');
  room.member(bob, 'join');
  const late = room.say(zoe, 'late', { elsewhere: { [alice]: 'leave', [bob]: 'leave' } }).eventId;
  room.member(bob, 'leave');
  const later = room.say(zoe, 'later', { elsewhere: { [alice]: 'leave', [bob]: 'leave' } }).eventId;
  await world.apply();
  const seen = async (userId: string) => (await world.get(userId, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '50' })).chunk.map((event: { event_id: string }) => event.event_id);
  assert.deepEqual((await seen(alice)).filter((eventId: string) => [late, later].includes(eventId)), [later, late]);
  assert.ok((await seen(bob)).includes(late));
  assert.ok(!(await seen(bob)).includes(later));
});

test('a redaction by another server takes the content', async () => {
  const { room, world } = await scene();
  room.importState();
  room.member(alice, 'join');
  const said = room.say(zoe, 'oops').eventId;
  room.redact(zoe, said);
  await world.apply();
  const { timeline } = (await world.sync(alice)).rooms.join[room.roomId];
  const event = timeline.events.find((one: { event_id: string }) => one.event_id === said);
  assert.deepEqual(event.content, {});
  assert.equal(event.unsigned.redacted_because.sender, zoe);
});

test('what an event changes that clients are not shown, they hear of in the state; the event itself is nowhere', async () => {
  const { room, world } = await scene();
  room.importState();
  room.member(alice, 'join');
  const first = room.state('m.room.topic', '', { topic: 'one' }, zoe).eventId;
  const second = room.state('m.room.topic', '', { topic: 'two' }, zoe).eventId;
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  const hidden = room.send('org.matrix.dummy_event', zoe, {}, { hidden: true, changes: [{ type: 'm.room.topic', stateKey: '', eventId: first, replaces: second }] }).eventId;
  await world.apply();
  const answer = await world.sync(alice, { since });
  const joined = answer.rooms.join[room.roomId];
  assert.deepEqual([ids(joined.state), ids(joined.timeline), joined.timeline.limited], [[first], [], false]);
  const quiet = room.send('org.matrix.dummy_event', zoe, {}, { hidden: true }).eventId;
  const said = room.say(zoe, 'seen').eventId;
  await world.apply();
  const next = (await world.sync(alice, { since: answer.next_batch })).rooms.join[room.roomId];
  assert.deepEqual([next.state?.events ?? [], ids(next.timeline)], [[], [said]]);
  const page = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '50' });
  for (const eventId of [hidden, quiet]) {
    assert.equal(page.chunk.some((event: { event_id: string }) => event.event_id === eventId), false);
    assert.equal((await world.get(alice, `/rooms/${room.roomId}/event/${eventId}`)).status, 404);
  }
});
