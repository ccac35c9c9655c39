import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePresenceSeen, encodePresence, PRESENCE_ASK_CHANNEL, PRESENCE_CHANNEL, PRESENCE_SEEN_CHANNEL } from '../../../pkg/log/presence-signals.ts';
import type { PresenceSeen, PresenceTold } from '../../../schemas/log/presence.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

type User = PresenceTold['users'][number];

/** Alice and Bob share a room; Carol is alone in another. */
async function scene() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  room.member(bob, 'join');
  const other = new RoomHistory(log, { name: 'two', creator: carol });
  const seen: PresenceSeen[] = [];
  const asked = { times: 0 };
  let receive: (value: Uint8Array) => void = () => undefined;
  const world = await createSyncWorld(log, {
    presence: {
      signal: (channel, value) => {
        if (channel === PRESENCE_ASK_CHANNEL) asked.times += 1;
        else if (channel === PRESENCE_SEEN_CHANNEL) seen.push(decodePresenceSeen(value)!);
      },
      listen: async (channel, listener) => {
        assert.equal(channel, PRESENCE_CHANNEL);
        receive = listener;
        return { close: async () => undefined };
      },
    },
  });
  await world.apply();
  const place = { epoch: 1, counter: 0 };
  const user = (userId: string, kind: User['kind'], more: Partial<User> = {}): User => ({ userId, kind, lastActiveMs: world.runtime.clock.now(), isActive: kind === 'online', statusMsg: '', counter: place.counter, ...more });
  return {
    log, room, other, world, seen, asked, place,
    tell: async (userId: string, kind: User['kind'], more: Partial<User> = {}) => {
      const after = place.counter++;
      receive(encodePresence({ partition: 0, ...place, after, users: [user(userId, kind, more)] }));
      await world.runtime.advance(1);
    },
    receive: (told: Pick<PresenceTold, 'after' | 'list'>, users: readonly (readonly [string, User['kind'], number])[]) =>
      receive(encodePresence({ partition: 0, ...place, ...told, users: users.map(([userId, kind, counter]) => user(userId, kind, { counter })) })),
    /** Who was told of in an answer. */
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    who: (answer: any): [string, string][] => (answer.presence?.events ?? []).map((event: any) => [event.sender, event.content.presence]),
  };
}

test('who shares a room with a user is told of them once; others, and they themselves, are not', async () => {
  const { world, tell, who } = await scene();
  await tell(bob, 'online', { statusMsg: 'tea' });
  await tell(carol, 'online');
  const first = await world.sync(alice);
  assert.deepEqual(first.presence.events, [{ type: 'm.presence', sender: bob, content: { presence: 'online', last_active_ago: 2, currently_active: true, status_msg: 'tea' } }]);
  assert.deepEqual([who(await world.sync(bob)), who(await world.sync(carol))], [[], []]);
  const quiet = await world.sync(alice, { since: first.next_batch });
  assert.equal(quiet.presence, undefined);
  await tell(bob, 'offline');
  const later = await world.sync(alice, { since: quiet.next_batch });
  assert.deepEqual(who(later), [[bob, 'offline']]);
  assert.deepEqual(who(await world.sync(alice)), [], 'offline is what one is taken for');
  await world.close();
});

test('a change wakes who waits and shares a room, and nobody else; then the room has a pause', async () => {
  const { world, tell, who } = await scene();
  const since = async (user: string) => (await world.sync(user)).next_batch;
  const [ofAlice, ofCarol] = [await since(alice), await since(carol)];
  const waiting = world.sync(alice, { since: ofAlice, timeout: '30000' });
  const other = world.sync(carol, { since: ofCarol, timeout: '30000' });
  await world.runtime.advance(10);
  await tell(bob, 'online');
  await world.runtime.advance(10);
  const answer = await waiting;
  assert.deepEqual(who(answer), [[bob, 'online']]);
  const again = world.sync(alice, { since: answer.next_batch, timeout: '30000' });
  await world.runtime.advance(10);
  const queries = world.queries;
  await tell(bob, 'unavailable');
  await tell(bob, 'online');
  await tell(bob, 'unavailable');
  await world.runtime.advance(10);
  assert.equal(world.queries, queries, 'neither looked nor asked in whose rooms');
  await world.runtime.advance(2000);
  assert.deepEqual(who(await again), [[bob, 'unavailable']]);
  await world.runtime.advance(30_000);
  assert.equal((await other).presence, undefined);
  await world.close();
});

test('a token of an older epoch gets what the present one has told; a list says who is gone', async () => {
  const { world, place, tell, receive, who } = await scene();
  await tell(bob, 'online');
  const { next_batch: since } = await world.sync(alice);
  Object.assign(place, { epoch: 2, counter: 0 });
  await tell(alice, 'online');
  assert.deepEqual(who(await world.sync(alice, { since })), []);
  place.counter = 9;
  receive({ after: -1, list: { id: 'x', users: 1, last: true } }, [[alice, 'online', 1]]);
  assert.deepEqual(who(await world.sync(alice, { since })), [[bob, 'offline']]);
  await world.close();
});

test('who has missed something asks for all, and not at every turn', async () => {
  const { asked, place, tell, receive, who, world } = await scene();
  assert.equal(asked.times, 1, 'at the start');
  await world.runtime.advance(20_000);
  await tell(bob, 'online');
  assert.equal(asked.times, 1);
  place.counter = 5;
  await tell(bob, 'unavailable');
  assert.equal(asked.times, 2);
  place.counter = 8;
  await tell(bob, 'online');
  assert.equal(asked.times, 2, 'it has just asked');
  receive({ after: -1 }, [[alice, 'online', 3]]);
  assert.deepEqual(who(await world.sync(alice)), [[bob, 'online']]);
  await world.close();
});

test('rooms that are too large show nobody; who comes into a room is told who is there, and those there of them', async () => {
  const { world, room, other, tell, who } = await scene();
  await tell(bob, 'online');
  await tell(carol, 'unavailable');
  const since = (await world.sync(alice)).next_batch;
  const ofCarol = (await world.sync(carol)).next_batch;
  room.member(carol, 'join');
  await world.apply();
  assert.deepEqual(who(await world.sync(alice, { since })), [[carol, 'unavailable']]);
  assert.deepEqual(who(await world.sync(carol, { since: ofCarol })), [[bob, 'online']]);
  for (let n = 0; n < 4; n += 1) room.member(`@u${n}:history.test`, 'join');
  await world.apply();
  await world.runtime.advance(61_000);
  await tell(bob, 'unavailable');
  assert.deepEqual(who(await world.sync(alice, { since })), []);
  assert.equal(other.timeline.length > 0, true);
  await world.close();
});

test('where many have changed, it is asked who is in the rooms and not in which rooms all those are', async () => {
  const { world, place, receive, tell, who } = await scene();
  await tell(bob, 'online');
  await tell(carol, 'online');
  const since = (await world.sync(alice)).next_batch;
  const crowd = Array.from({ length: 600 }, (_, n) => [`@crowd${n}:history.test`, 'online', n + 3] as const);
  place.counter = 602;
  receive({ after: 2 }, crowd);
  assert.deepEqual(who(await world.sync(alice)), [[bob, 'online']]);
  assert.deepEqual(who(await world.sync(alice, { since })), [], 'nothing new of Bob');
  await tell(bob, 'offline');
  assert.deepEqual(who(await world.sync(alice, { since })), [[bob, 'offline']]);
  assert.deepEqual(who(await world.sync(alice)), []);
  await world.close();
});

test('filters hold for presence', async () => {
  const { world, tell, who } = await scene();
  await tell(bob, 'online');
  for (const presence of [{ types: [] }, { not_senders: [bob] }, { limit: 0 }]) assert.deepEqual(who(await world.sync(alice, { filter: JSON.stringify({ presence }) })), []);
  await world.close();
});

test('owners are told that a user is here when that begins, once a minute, and half a minute after it has ended', async () => {
  const { world, seen } = await scene();
  const told = () => seen.flatMap(({ users = [] }) => users.map(({ userId, kind }) => [userId, kind].join(' ')));
  let since = '';
  for (let poll = 0; poll < 5; poll += 1) {
    const answer = world.sync(alice, { ...(since !== '' && { since }), timeout: '10000' });
    await world.runtime.advance(10_000);
    since = (await answer).next_batch;
  }
  assert.deepEqual(told(), [`${alice} online`]);
  await world.sync(alice, { since, set_presence: 'offline' });
  await world.runtime.advance(100);
  assert.deepEqual(told(), [`${alice} online`, `${alice} offline`]);
  const long = world.sync(alice, { since, set_presence: 'unavailable', timeout: '60000' });
  await world.sync(`${alice}/OTHER`, { since });
  await world.runtime.advance(60_000);
  await long;
  assert.deepEqual(told().slice(2), [`${alice} online`, `${alice} unavailable`]);
  await world.runtime.advance(36_000);
  assert.equal(told().at(-1), `${alice} offline`);
  await world.sync(bob, { set_presence: 'offline' });
  await world.runtime.advance(100_000);
  assert.ok(!told().some((text) => text.startsWith(bob)));
  await world.close();
});

test('GET status: of who shares a room, also a large one', async () => {
  const { world, tell } = await scene();
  await tell(bob, 'online');
  const status = (who: string, of: string) => world.get(who, `/presence/${of}/status`);
  assert.deepEqual(await status(alice, bob), { presence: 'online', last_active_ago: 1, currently_active: true });
  assert.deepEqual(await status(alice, alice), { presence: 'offline' });
  assert.equal((await status(carol, bob)).status, 403);
  assert.equal((await status(alice, '@eve:far.test')).status, 403);
  await world.close();
});
