import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { chooseTry, createTries, msUntilTry, refilled } from './tries.ts';

const LIMITS = { perSecond: 10, burst: 5 };

interface Item {
  readonly name: string;
  readonly since: number;
}

function stand(options: { hasRoom?: () => boolean } = {}) {
  const { clock, advance } = createManualRuntime();
  const started: { name: string; at: number }[] = [];
  const began = clock.monotonic();
  const tries = createTries<Item>({
    clock, limits: LIMITS, failingSinceMs: ({ since }) => since, hasRoom: options.hasRoom ?? (() => true), start: ({ name }) => void started.push({ name, at: clock.monotonic() - began }),
  });
  return { tries, started, advance };
}

test('the purse fills with time, up to its size', () => {
  assert.deepEqual(refilled({ tries: 1.5, atMs: 100 }, LIMITS, 250), { tries: 3, atMs: 250 });
  assert.deepEqual(refilled({ tries: 1, atMs: 0 }, LIMITS, 60_000), { tries: 5, atMs: 60_000 });
  assert.deepEqual(refilled({ tries: 1, atMs: 100 }, LIMITS, 0), { tries: 1, atMs: 0 }, 'time does not take');
  assert.deepEqual([0, 0.5, 0.995, 1, 4].map((tries) => msUntilTry({ tries, atMs: 0 }, LIMITS)), [100, 50, 1, 0, 0]);
});

test('by turns who has waited longest, and who has failed for the shortest time', () => {
  const waiting = [{ since: 1 }, { since: 9 }, { since: 3 }, { since: 9 }];
  const since = (one: { since: number }): number => one.since;
  assert.equal(chooseTry(waiting, 0, since), waiting[0]);
  assert.equal(chooseTry(waiting, 1, since), waiting[1], 'the first of them');
  assert.equal(chooseTry([], 0, since), undefined);
  assert.equal(chooseTry([], 1, since), undefined);
});

test('many that fail share the tries: none is forgotten, and one that has just failed waits for two tries at most', async () => {
  const { tries, started, advance } = stand();
  const dead = Array.from({ length: 100 }, (_, n) => ({ name: `dead${n}`, since: 0 }));
  for (const item of dead) tries.add(item);
  assert.equal(started.length, LIMITS.burst);
  await advance(2000);
  assert.equal(started.length, LIMITS.burst + 20);
  tries.add({ name: 'new', since: 5 });
  await advance(200);
  assert.ok(started.slice(-2).some(({ name }) => name === 'new'));
  await advance(8000);
  assert.deepEqual(new Set(started.map(({ name }) => name)), new Set([...dead.map(({ name }) => name), 'new']));
  assert.equal(started.length, 101);
});

test('who answers uses nothing of the budget', async () => {
  const { tries, started, advance } = stand();
  for (let n = 0; n < 100; n += 1) tries.add({ name: `dead${n}`, since: 0 });
  for (let n = 0; n < 95; n += 1) tries.giveBack();
  assert.equal(started.length, 100);
  tries.add({ name: 'one more', since: 0 });
  await advance(99);
  assert.equal(started.length, 100, 'it was given back what was taken, and no more');
  await advance(1);
  assert.equal(started.length, 101);
});

test('nothing is taken while there is no room, nor for who needs no try any more', async () => {
  let hasRoom = false;
  const { tries, started, advance } = stand({ hasRoom: () => hasRoom });
  const item = { name: 'forgiven', since: 0 };
  tries.add(item);
  for (let n = 0; n < 8; n += 1) tries.add({ name: `dead${n}`, since: 0 });
  await advance(60_000);
  assert.deepEqual(started, []);
  tries.remove(item);
  hasRoom = true;
  tries.go();
  assert.equal(started.length, LIMITS.burst);
  await advance(300);
  assert.equal(started.length, 8);
  assert.ok(!started.some(({ name }) => name === 'forgiven'));
});
