import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createNotifier, type Waiter } from './notifier.ts';

const never = new Departure();

test('wakes by room, by user, and everybody when nobody is named', async () => {
  const runtime = createManualRuntime();
  const notifier = createNotifier({ clock: runtime.clock });
  const waits = ['@a:x', '@b:x'].map((userId) => {
    const waiter = notifier.waiter(userId);
    waiter.watch([`!${userId}`]);
    waiter.clear();
    return waiter.wait(1000, never);
  });
  notifier.applied({ rooms: ['!@a:x'], users: [] });
  assert.equal(await waits[0], 'woken');
  await runtime.advance(1000);
  assert.equal(await waits[1], 'timeout');
  const third = notifier.waiter('@c:x');
  const waiting = third.wait(1000, never);
  notifier.applied({ rooms: ['!other'], users: ['@other:x'] });
  notifier.applied({ rooms: [], users: [] });
  assert.equal(await waiting, 'woken');
});

test('a wake-up between clear and wait counts; one before clear does not', async () => {
  const runtime = createManualRuntime();
  const notifier = createNotifier({ clock: runtime.clock });
  const waiter = notifier.waiter('@a:x');
  notifier.applied({ rooms: [], users: ['@a:x'] });
  await runtime.settle();
  waiter.clear();
  const first = waiter.wait(10, never);
  await runtime.advance(10);
  assert.equal(await first, 'timeout');
  waiter.clear();
  notifier.applied({ rooms: [], users: ['@a:x'] });
  assert.equal(await waiter.wait(10, never), 'woken');
});

test('rooms are remembered from one poll to the next, so that only new ones ask for another look', () => {
  const notifier = createNotifier({ clock: createManualRuntime().clock });
  const first = notifier.waiter('@a:x');
  assert.equal(first.watch(['!1', '!2']), true);
  assert.equal(first.watch(['!1', '!2']), false);
  first.close();
  const second = notifier.waiter('@a:x');
  assert.equal(second.watch(['!2']), false);
  assert.equal(second.watch(['!2', '!3']), true);
});

test('the rooms of a user are certain once they were looked at, until the user is named or nobody could be', () => {
  const notifier = createNotifier({ clock: createManualRuntime().clock });
  const isCertain = (): boolean => notifier.waiter('@a:x').isCertain;
  const look = (rooms: readonly string[], meanwhile = () => undefined as void): void => {
    const waiter = notifier.waiter('@a:x');
    waiter.clear();
    meanwhile();
    waiter.watch(rooms);
    waiter.close();
  };
  assert.equal(isCertain(), false, 'nobody has looked');
  look([]);
  assert.equal(isCertain(), true, 'in no room');
  look(['!1']);
  notifier.applied({ rooms: ['!1'], users: ['@b:x'] });
  assert.equal(isCertain(), true, 'others are named');
  const other = notifier.waiter('@a:x');
  notifier.applied({ rooms: ['!2'], users: ['@a:x'] });
  assert.deepEqual([isCertain(), other.isCertain], [false, false]);
  look(['!1'], () => notifier.applied({ rooms: ['!2'], users: ['@a:x'] }));
  assert.equal(isCertain(), false, 'named while somebody looked');
  look(['!1', '!2']);
  assert.deepEqual([isCertain(), other.isCertain], [true, false], 'the other device hears of the old rooms');
  notifier.applied({ rooms: [], users: [] });
  assert.equal(isCertain(), false);
  look(['!1'], () => notifier.applied({ rooms: [], users: [] }));
  assert.equal(isCertain(), false);
});

test('few are woken at once; of many nobody before who has sent what wakes them could be answered', async () => {
  const notifier = createNotifier({ clock: createManualRuntime().clock });
  const order: string[] = [];
  const wait = (userId: string, roomId: string): Promise<unknown> => {
    const waiter = notifier.waiter(userId);
    waiter.watch([roomId]);
    waiter.clear();
    return waiter.wait(30_000, never).then(() => order.push(roomId));
  };
  const few = Array.from({ length: 10 }, (_, n) => wait(`@few${n}:x`, '!few'));
  const many = Array.from({ length: 11 }, (_, n) => wait(`@many${n}:x`, '!many'));
  const sendTo = async (roomId: string): Promise<void> => {
    notifier.applied({ rooms: [roomId], users: [] });
    for (let step = 0; step < 20; step += 1) await Promise.resolve();
    order.push('sent');
  };
  await Promise.all([sendTo('!many'), ...many]);
  assert.deepEqual([order.indexOf('sent'), order.length], [0, 12]);
  order.length = 0;
  await Promise.all([sendTo('!few'), ...few]);
  assert.equal(order.indexOf('sent'), 10);
});

test('of many that are woken few look at once: the next come when most of those have looked, or hang', async () => {
  const runtime = createManualRuntime();
  const notifier = createNotifier({ clock: runtime.clock });
  const looking: Waiter[] = [];
  const waiters = Array.from({ length: 1000 }, (_, n) => notifier.waiter(`@user${n}:x`));
  for (const waiter of waiters) {
    waiter.watch(['!everybody']);
    void waiter.wait(30_000, never).then(() => looking.push(waiter));
  }
  notifier.applied({ rooms: ['!everybody'], users: [] });
  await runtime.settle();
  assert.equal(looking.length, 200);
  for (const waiter of looking.slice(0, 99)) waiter.close();
  await runtime.settle();
  assert.equal(looking.length, 200);
  // Waiting again is as good as going.
  void looking[99]!.wait(30_000, never);
  await runtime.settle();
  assert.equal(looking.length, 300);
  await runtime.advance(700);
  assert.equal(looking.length, 1000, 'one that hangs keeps nobody asleep for long');
});

test('10,000 waiters are woken in chunks, cost little memory, and leave nothing behind', async () => {
  const runtime = createManualRuntime();
  let yields = 0;
  const clock = { ...runtime.clock, yield: () => ((yields += 1), runtime.clock.yield()) };
  const notifier = createNotifier({ clock });
  const before = process.memoryUsage().heapUsed;
  const waiters = Array.from({ length: 10_000 }, (_, n) => notifier.waiter(`@user${n}:x`));
  for (const [n, waiter] of waiters.entries()) waiter.watch(['!everybody', `!room${n % 1000}`]);
  const waits = waiters.map(async (waiter) => {
    const end = await waiter.wait(30_000, never);
    waiter.close();
    return end;
  });
  const bytesEach = (process.memoryUsage().heapUsed - before) / waiters.length;
  assert.ok(bytesEach < 5000, `${bytesEach} bytes each`);
  notifier.applied({ rooms: ['!everybody'], users: [] });
  assert.deepEqual(new Set(await Promise.all(waits)), new Set(['woken']));
  assert.ok(yields >= 90, `${yields} chunks`);
  assert.equal(notifier.size(), 0);
});
