import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, NOTHING_NEW } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

async function prepare() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  const world = await createSyncWorld(log);
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  return { log, room, world, since };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const bodies = (answer: any, roomId: string): string[] => answer.rooms.join[roomId].timeline.events.map((event: any) => event.content.body);

test('a long poll ends with the event that it waited for, on every device', async () => {
  const { room, world, since } = await prepare();
  const polls = ['PHONE', 'LAPTOP'].map((device) => world.sync(`${alice}/${device}`, { since, timeout: '30000' }));
  await world.runtime.advance(10_000);
  assert.equal(world.notifier.size(), 2);
  room.say(alice, 'hello');
  await world.apply();
  for (const answer of await Promise.all(polls)) assert.deepEqual(bodies(answer, room.roomId), ['hello']);
  assert.equal(world.notifier.size(), 0);
});

test('without news it ends after the time-out, with a token to go on from', async () => {
  const { room, world, since } = await prepare();
  let ended = false;
  const poll = world.sync(alice, { since, timeout: '30000' }).finally(() => (ended = true));
  await world.runtime.advance(29_999);
  assert.equal(ended, false);
  await world.runtime.advance(1);
  const answer = await poll;
  assert.deepEqual(Object.keys(answer), NOTHING_NEW);
  room.say(alice, 'later');
  await world.apply();
  assert.deepEqual(bodies(await world.sync(alice, { since: answer.next_batch }), room.roomId), ['later']);
});

test('it ends early with a valid token when the server stops', async () => {
  const { world, since } = await prepare();
  const departure = new Departure();
  const poll = world.sync(alice, { since, timeout: '30000' }, { departure });
  await world.runtime.advance(1000);
  departure.leave('stopping');
  const answer = await poll;
  assert.equal((await world.sync(alice, { since: answer.next_batch })).status, undefined);
  assert.equal(world.notifier.size(), 0);
});

test('the wait of a client that has gone ends without another look', async () => {
  const { world, since } = await prepare();
  const departures = Array.from({ length: 1000 }, () => new Departure());
  const polls = departures.map((departure) => world.sync(alice, { since, timeout: '30000' }, { departure }));
  await world.runtime.advance(1000);
  assert.equal(world.notifier.size(), 1000);
  const before = world.queries;
  for (const departure of departures) departure.leave('gone');
  for (const answer of await Promise.all(polls)) assert.equal(answer.status, 499);
  assert.deepEqual([world.notifier.size(), world.queries - before], [0, 0]);
});

test('an invite wakes its user, and a room that is joined while waiting is heard of from then on', async () => {
  const { room, world } = await prepare();
  let { next_batch: since } = await world.sync(bob);
  const invited = world.sync(bob, { since, timeout: '30000' });
  await world.runtime.settle();
  room.member(bob, 'invite', { sender: alice });
  await world.apply();
  const answer = await invited;
  assert.ok(answer.rooms.invite[room.roomId]);
  since = answer.next_batch;
  const joined = world.sync(bob, { since, timeout: '30000' });
  await world.runtime.settle();
  room.member(bob, 'join');
  await world.apply();
  since = (await joined).next_batch;
  const talk = world.sync(bob, { since, timeout: '30000' });
  await world.runtime.settle();
  room.say(alice, 'hi');
  await world.apply();
  assert.deepEqual(bodies(await talk, room.roomId), ['hi']);
});

test('what commits at any moment of the look is not missed', async () => {
  // The first poll of a user does not know its rooms yet: the commit is placed after every possible number of steps.
  for (let steps = 0; steps < 60; steps++) {
    const { room, world, since } = await prepare();
    Object.assign(world.runtime.clock, { yield: () => Promise.resolve() });
    const poll = world.sync(alice, { since, timeout: '30000' });
    for (let step = 0; step < steps; step++) await Promise.resolve();
    room.say(alice, 'now');
    await world.apply();
    await world.runtime.settle();
    assert.equal(world.notifier.size(), 0, `after ${steps} steps`);
    assert.deepEqual(bodies(await poll, room.roomId), ['now']);
    await world.close();
  }
});

test('nor is what commits while a client comes back that has all, which costs no look into the tables', async () => {
  for (let steps = 0; steps < 40; steps++) {
    const { room, world, since: first } = await prepare();
    const begin = world.sync(alice, { since: first, timeout: '1' });
    await world.runtime.advance(1);
    const { next_batch: since } = await begin;
    Object.assign(world.runtime.clock, { yield: () => Promise.resolve() });
    world.queries = 0;
    const poll = world.sync(alice, { since, timeout: '30000' });
    for (let step = 0; step < steps; step++) await Promise.resolve();
    assert.equal(world.queries, 0);
    room.say(alice, 'now');
    await world.apply();
    await world.runtime.settle();
    assert.deepEqual(bodies(await poll, room.roomId), ['now'], `after ${steps} steps`);
    await world.close();
  }
});

test('a room that was joined elsewhere is heard of by a client that comes back with all of it', async () => {
  const { log, room, world } = await prepare();
  const other = new RoomHistory(log, { name: 'other', creator: bob });
  await world.apply();
  const { next_batch: before } = await world.sync(alice);
  const begin = world.sync(alice, { since: before, timeout: '1' });
  await world.runtime.advance(1);
  await begin;
  other.member(alice, 'join');
  await world.apply();
  const { next_batch: since } = await world.sync(`${alice}/LAPTOP`);
  const poll = world.sync(`${alice}/LAPTOP`, { since, timeout: '30000' });
  await world.runtime.settle();
  other.say(bob, 'over here');
  await world.apply();
  const answer = await poll;
  assert.deepEqual([bodies(answer, other.roomId), answer.rooms.join[room.roomId]], [['over here'], undefined]);
});

test('a client that comes back with all ends early too, with a token to go on from', async () => {
  const { world, since: first } = await prepare();
  const begin = world.sync(alice, { since: first, timeout: '1' });
  await world.runtime.advance(1);
  const { next_batch: since } = await begin;
  const departure = new Departure();
  const poll = world.sync(alice, { since, timeout: '30000' }, { departure });
  await world.runtime.advance(1000);
  departure.leave('stopping');
  const answer = await poll;
  assert.deepEqual([Object.keys(answer), answer.next_batch], [NOTHING_NEW, since]);
});

test('a lost wake-up delays to the time-out at most', async () => {
  const { room, world, since } = await prepare();
  const poll = world.sync(alice, { since, timeout: '30000' });
  await world.runtime.settle();
  room.say(alice, 'unheard');
  await world.applyQuietly();
  const deaf = world.notifier.applied;
  world.notifier.applied = () => undefined;
  world.announce();
  world.notifier.applied = deaf;
  await world.runtime.advance(30_000);
  assert.deepEqual(bodies(await poll, room.roomId), ['unheard']);
});

test('what the filter hides does not end the wait', async () => {
  const { room, world, since } = await prepare();
  let ended = false;
  const filter = JSON.stringify({ room: { timeline: { not_types: ['org.example.noise'] } } });
  const poll = world.sync(alice, { since, filter, timeout: '30000' }).finally(() => (ended = true));
  await world.runtime.settle();
  room.send('org.example.noise', alice, {});
  await world.apply();
  await world.runtime.settle();
  assert.equal(ended, false);
  room.say(alice, 'signal');
  await world.apply();
  assert.deepEqual(bodies(await poll, room.roomId), ['signal']);
});

test('a message that wakes many takes about as many queries as one that wakes few, and so do their next polls', async () => {
  const queriesFor = async (count: number) => {
    const log = new HistoryLog();
    const room = new RoomHistory(log, { name: 'one', creator: alice });
    const users = Array.from({ length: count }, (_, number) => `@user${number}:history.test`);
    for (const user of users) room.member(user, 'join');
    const world = await createSyncWorld(log);
    await world.apply();
    const tokens = await Promise.all(users.map(async (user) => (await world.sync(user)).next_batch as string));
    world.queries = 0;
    const polls = users.map((user, number) => world.sync(user, { since: tokens[number]!, timeout: '30000' }));
    await world.runtime.settle();
    const polling = world.queries;
    room.say(alice, 'hello');
    world.queries = 0;
    await world.apply();
    for (const answer of await Promise.all(polls)) assert.deepEqual(bodies(answer, room.roomId), ['hello']);
    return { polling, waking: world.queries };
  };
  const few = await queriesFor(2);
  const many = await queriesFor(80);
  assert.ok(many.polling <= few.polling + 4 && many.waking <= few.waking + 4, JSON.stringify({ few, many }));
});
