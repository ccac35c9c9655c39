import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createNotifier } from './notifier.ts';

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

test('10,000 waiters are woken in chunks, cost little memory, and leave nothing behind', async () => {
  const runtime = createManualRuntime();
  let yields = 0;
  const clock = { ...runtime.clock, yield: () => ((yields += 1), runtime.clock.yield()) };
  const notifier = createNotifier({ clock });
  const before = process.memoryUsage().heapUsed;
  const waiters = Array.from({ length: 10_000 }, (_, n) => notifier.waiter(`@user${n}:x`));
  for (const [n, waiter] of waiters.entries()) waiter.watch(['!everybody', `!room${n % 1000}`]);
  const waits = waiters.map((waiter) => waiter.wait(30_000, never));
  const bytesEach = (process.memoryUsage().heapUsed - before) / waiters.length;
  assert.ok(bytesEach < 5000, `${bytesEach} bytes each`);
  notifier.applied({ rooms: ['!everybody'], users: [] });
  assert.deepEqual(new Set(await Promise.all(waits)), new Set(['woken']));
  assert.ok(yields >= 90, `${yields} chunks`);
  for (const waiter of waiters) waiter.close();
  assert.equal(notifier.size(), 0);
});
