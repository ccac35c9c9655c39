import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePresenceTold, encodePresence, PRESENCE_ASK_CHANNEL, PRESENCE_CHANNEL, PRESENCE_SEEN_CHANNEL } from '../../../pkg/log/presence-signals.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { PresenceKind, PresenceSeen, PresenceTold } from '../../../schemas/log/presence.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { userapiMigrations } from '../storage/migrations.ts';
import { createPresence } from './presence.ts';
import { writeStatus } from './presence-status.ts';

const ALICE = '@alice:own.test';
const BOB = '@bob:own.test';

async function scene() {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'userapi', userapiMigrations, runtime.clock.now());
  const told: PresenceTold[] = [];
  const listeners = new Map<string, (value: Uint8Array) => void>();
  const lease = { epoch: 7 as number | undefined };
  const presence = createPresence({
    runtime, database, partitionMap: { version: 1, partitions: 1 }, serverName: 'own.test', epochOf: () => lease.epoch,
    driver: {
      signal: (channel, value) => {
        assert.equal(channel, PRESENCE_CHANNEL);
        told.push(decodePresenceTold(value)!);
      },
      listen: async (channel, receive) => {
        listeners.set(channel, receive);
        return { close: async () => void listeners.delete(channel) };
      },
    },
  });
  await presence.start();
  const say = async (seen: Omit<PresenceSeen, 'from'> & { from?: string }) => {
    listeners.get(PRESENCE_SEEN_CHANNEL)!(encodePresence({ from: 'a', ...seen }));
    await runtime.advance(200);
  };
  return {
    runtime, database, presence, lease, told, say,
    sees: (kind: PresenceKind, from = 'a', userId = ALICE) => say({ from, users: [{ userId, kind }] }),
    ask: () => listeners.get(PRESENCE_ASK_CHANNEL)!(new Uint8Array()),
    /** What was told of the user, lists of all left out. */
    news: (userId = ALICE) => told.filter(({ list }) => list === undefined).flatMap(({ users }) => users.filter((user) => user.userId === userId).map(({ kind, isActive }) => (isActive ? 'active' : kind))),
    close: async () => {
      await presence.stop();
      await database.close();
    },
  };
}

test('given a user who goes on syncing, what is said of them every minute is told nobody; they become idle by doing nothing', async () => {
  const world = await scene();
  for (let minute = 0; minute < 8; minute += 1) {
    await world.sees('online');
    await world.runtime.advance(60_000);
  }
  assert.deepEqual(world.news(), ['active', 'online', 'unavailable']);
  await world.say({ active: [ALICE] });
  assert.deepEqual(world.news().slice(3), ['active']);
  await world.close();
});

test('several processes are one: the user is there while any sees them, online while any sees them online', async () => {
  const world = await scene();
  await world.sees('unavailable', 'a');
  await world.sees('online', 'b');
  await world.sees('offline', 'a');
  assert.deepEqual(world.news(), ['unavailable', 'active']);
  await world.sees('offline', 'b');
  assert.deepEqual(world.news(), ['unavailable', 'active', 'offline']);
  await world.close();
});

test('a process that died is believed for a minute and a half', async () => {
  const world = await scene();
  await world.sees('online');
  await world.runtime.advance(90_000);
  assert.deepEqual(world.news(), ['active']);
  await world.runtime.advance(20_000);
  assert.deepEqual(world.news(), ['active', 'offline']);
  await world.close();
});

test('what users set is told at once, holds until they do something, and being hidden until they come anew; the text outlives the memory', async () => {
  const world = await scene();
  await world.database.transaction((tx) => writeStatus(tx, ALICE, 'out'));
  await world.sees('online');
  assert.equal(world.told.at(-1)!.users[0]!.statusMsg, 'out');
  world.presence.set(ALICE, { kind: 'unavailable', statusMsg: 'busy' });
  assert.deepEqual([world.told.at(-1)!.users[0]!.kind, world.told.at(-1)!.users[0]!.statusMsg], ['unavailable', 'busy']);
  await world.runtime.advance(60_000);
  await world.sees('online');
  assert.equal(world.news().at(-1), 'unavailable', 'said again is nothing new');
  await world.say({ active: [ALICE] });
  assert.equal(world.news().at(-1), 'active');
  world.presence.set(ALICE, { kind: 'offline', statusMsg: '' });
  await world.say({ active: [ALICE] });
  assert.equal(world.news().at(-1), 'offline');
  await world.sees('unavailable', 'b');
  assert.equal(world.news().at(-1), 'active');
  await world.close();
});

test('who comes and goes all the time is told of as often as their kind changes, and otherwise seldom', async () => {
  const world = await scene();
  await world.sees('online');
  await world.runtime.advance(70_000);
  await world.sees('online');
  await world.runtime.advance(60_000);
  const before = world.news().length;
  for (let turn = 0; turn < 20; turn += 1) {
    await world.sees('online', 'b');
    await world.sees('offline', 'b');
  }
  assert.ok(world.news().length - before <= 4, world.news().join());
  await world.close();
});

test('another lease begins anew, and says when those are offline who were not heard of since', async () => {
  const world = await scene();
  await world.sees('online');
  world.lease.epoch = 8;
  await world.sees('online', 'a', BOB);
  assert.deepEqual([world.told.at(-1)!.epoch, world.told.at(-1)!.counter], [8, 1]);
  for (let minute = 0; minute < 2; minute += 1) {
    await world.runtime.advance(60_000);
    await world.sees('online', 'a', BOB);
  }
  const list = world.told.find((one) => one.list !== undefined)!;
  assert.deepEqual([list.epoch, list.list?.last, list.list?.users, list.users.map(({ userId }) => userId)], [8, true, 1, [BOB]]);
  world.lease.epoch = undefined;
  const length = world.told.length;
  await world.sees('offline', 'a', BOB);
  await world.runtime.advance(200_000);
  assert.equal(world.told.length, length, 'the partition is another owner\'s');
  await world.close();
});

test('whoever asks gets all who are there, in the places where they were told of', async () => {
  const world = await scene();
  await world.sees('online');
  await world.sees('online', 'a', BOB);
  world.ask();
  world.ask();
  await world.runtime.advance(3000);
  const lists = world.told.filter((one) => one.list !== undefined);
  assert.deepEqual(lists.map(({ users, list }) => [users.map(({ userId, counter }) => [userId, counter]), list?.last]), [[[[ALICE, 1], [BOB, 2]], false]]);
  await world.close();
});

test('what other servers say of their users is passed on; of users here they say nothing', async () => {
  const world = await scene();
  const state = { kind: 'online', isActive: true, lastActiveMs: world.runtime.clock.now(), statusMsg: 'hi' } as const;
  await world.say({ remote: [{ userId: '@eve:far.test', ...state }, { userId: ALICE, ...state }] });
  assert.deepEqual([world.news('@eve:far.test'), world.news()], [['active'], []]);
  await world.runtime.advance(31 * 60_000);
  assert.deepEqual(world.news('@eve:far.test'), ['active', 'offline']);
  await world.close();
});
