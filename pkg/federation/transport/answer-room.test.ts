/** How much of answers is held at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnswerRoom } from './answer-room.ts';

const MB = 1_000_000;

test('big answers wait for each other, small ones for nobody, and the first one never', async () => {
  const room = createAnswerRoom(3 * MB);
  const { signal } = new AbortController();
  const [first, second, small] = [room.enter(), room.enter(), room.enter()];
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
  const room = createAnswerRoom(MB);
  const controller = new AbortController();
  const [first, second, third] = [room.enter(), room.enter(), room.enter()];
  assert.equal(first.grow(MB, controller.signal), undefined);
  const waiting = second.grow(MB, controller.signal);
  controller.abort(new Error('too late'));
  await assert.rejects(async () => waiting, /too late/);
  await assert.rejects(async () => third.grow(MB, controller.signal), /too late/);
  for (const place of [first, second, third]) place.leave();
  const next = room.enter();
  assert.equal(next.grow(MB, new AbortController().signal), undefined);
  assert.equal(room.enter().grow(1, new AbortController().signal), undefined);
});
