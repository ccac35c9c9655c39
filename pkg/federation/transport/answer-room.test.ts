/** How much of answers is held at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createAnswerRoom } from './answer-room.ts';

const MB = 1_000_000;
const never = (): void => assert.fail('it was cut off');
const { clock } = createManualRuntime();

test('big answers wait for each other, small ones for nobody, and the first one never', async () => {
  const room = createAnswerRoom(3 * MB, clock);
  const { signal } = new AbortController();
  const [first, second, small] = [room.enter(never), room.enter(never), room.enter(never)];
  assert.equal(first.grow(2 * MB, signal), undefined);
  const waiting = second.grow(2 * MB, signal);
  assert.notEqual(waiting, undefined);
  assert.equal(small.grow(1000, signal), undefined);
  assert.equal(first.grow(2 * MB, signal), undefined);
  first.leave();
  await waiting;
  assert.equal(second.grow(2 * MB, signal), undefined, 'it is the first now');
});

test('who gives up waits no more, and what it held is free', async () => {
  const room = createAnswerRoom(MB, clock);
  const controller = new AbortController();
  const [first, second, third] = [room.enter(never), room.enter(never), room.enter(never)];
  assert.equal(first.grow(MB, controller.signal), undefined);
  const waiting = second.grow(MB, controller.signal);
  controller.abort(new Error('too late'));
  await assert.rejects(async () => waiting, /too late/);
  await assert.rejects(async () => third.grow(MB, controller.signal), /too late/);
  for (const place of [first, second, third]) place.leave();
  const next = room.enter(never);
  assert.equal(next.grow(MB, new AbortController().signal), undefined);
  assert.equal(room.enter(never).grow(1, new AbortController().signal), undefined);
});

test('who hands a big answer out too slowly is given up when others wait for its room, and only then', async () => {
  const runtime = createManualRuntime();
  const room = createAnswerRoom(10 * MB, runtime.clock);
  const { signal } = new AbortController();
  const cut: string[] = [];
  const enter = (name: string) => {
    const place = room.enter(() => { cut.push(name); place.leave(); });
    return place;
  };
  const [drip, idle, small, late] = [enter('drip'), enter('idle'), enter('small'), enter('late')];
  void drip.grow(9 * MB, signal);
  void small.grow(1000, signal);
  await runtime.advance(60_000);
  assert.deepEqual(cut, []);
  void idle.grow(0.9 * MB, signal);
  const waiting = late.grow(2 * MB, signal);
  assert.notEqual(waiting, undefined);
  for (let second = 0; second < 4; second += 1) {
    await runtime.advance(1000);
    void drip.grow(1000, signal);
  }
  assert.deepEqual(cut, []);
  await runtime.advance(1000);
  await waiting;
  assert.deepEqual(cut, ['drip', 'idle']);
  await runtime.advance(60_000);
  assert.deepEqual(cut, ['drip', 'idle'], 'nobody waits any more');
});

test('who is first goes on as fast as it comes, and who waits for room is not blamed for that', async () => {
  const runtime = createManualRuntime();
  const room = createAnswerRoom(MB, runtime.clock);
  const { signal } = new AbortController();
  const [first, second] = [room.enter(never), room.enter(never)];
  void first.grow(MB, signal);
  let isThrough = false;
  const waiting = second.grow(MB, signal)!.then(() => { isThrough = true; });
  for (let i = 0; i < 30; i += 1) {
    await runtime.advance(1000);
    assert.equal(first.grow(2 * MB, signal), undefined);
  }
  assert.equal(isThrough, false);
  first.leave();
  await waiting;
});

test('nobody is given up for one who does not wait any more', async () => {
  const runtime = createManualRuntime();
  const room = createAnswerRoom(MB, runtime.clock);
  const controller = new AbortController();
  const [first, second] = [room.enter(never), room.enter(never)];
  void first.grow(2 * MB, controller.signal);
  const waiting = second.grow(MB, controller.signal);
  controller.abort(new Error('too late'));
  await assert.rejects(async () => waiting);
  second.leave();
  await runtime.advance(60_000);
});
