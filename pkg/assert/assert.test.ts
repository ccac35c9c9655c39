import { test } from 'node:test';
import assertNode from 'node:assert/strict';
import { AssertionFailed, assert, must, never } from './assert.ts';
import { Overloaded, createSemaphore } from './semaphore.ts';

test('assert, must and never throw what names the fault', () => {
  assert(true, 'fine');
  assertNode.throws(() => assert(false, 'the sky fell'), (error) => error instanceof AssertionFailed && error.message === 'the sky fell');
  assertNode.equal(must(0, 'number'), 0);
  assertNode.throws(() => must(undefined, 'room'), /room is missing/);
  assertNode.throws(() => never('colour' as never), /colour/);
});

test('a semaphore runs no more than its permits, in order, and refuses what is beyond its line', async () => {
  const semaphore = createSemaphore({ name: 'hashing', permits: 2, waitingMax: 2 });
  const finish: (() => void)[] = [];
  const started: number[] = [];
  const start = (n: number) => semaphore.run(() => {
    started.push(n);
    return new Promise<number>((resolve) => finish.push(() => resolve(n)));
  });
  const results = [start(1), start(2), start(3), start(4)];
  await assertNode.rejects(start(5), Overloaded);
  assertNode.deepEqual([started, semaphore.running(), semaphore.waiting()], [[1, 2], 2, 2]);
  for (let n = 0; n < 4; n += 1) {
    finish[n]?.();
    await results[n];
    await new Promise((resolve) => setImmediate(resolve));
  }
  assertNode.deepEqual(started, [1, 2, 3, 4]);
  assertNode.deepEqual([semaphore.running(), semaphore.waiting()], [0, 0]);
});

test('a semaphore gives its permit back when the work fails', async () => {
  const semaphore = createSemaphore({ name: 'x', permits: 1, waitingMax: 1 });
  await assertNode.rejects(semaphore.run(() => Promise.reject(new Error('no'))), /no/);
  assertNode.equal(await semaphore.run(() => Promise.resolve(7)), 7);
});
