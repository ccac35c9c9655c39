import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createRounds } from './rounds.ts';

const EVERY_MS = 1000;

function begin(round: (count: number, signal: AbortSignal) => Promise<boolean>) {
  const runtime = createManualRuntime();
  const at: number[] = [];
  const start = runtime.clock.now();
  const rounds = createRounds(runtime, { name: 'test', everyMs: EVERY_MS, failure: 'it failed', round: (signal) => (at.push(runtime.clock.now() - start), round(at.length, signal)) });
  rounds.start();
  return { runtime, at, rounds };
}

test('rounds begin at once, come again every so often, and at once when there is more to do', async () => {
  const { runtime, at, rounds } = begin(async (count) => count === 2);
  await runtime.advance(EVERY_MS * 2);
  assert.deepEqual(at, [0, EVERY_MS, EVERY_MS, 2 * EVERY_MS]);
  await rounds.stop();
  await runtime.advance(EVERY_MS * 3);
  assert.equal(at.length, 4);
});

test('a nudge ends the rest; one that comes during a round is for the next', async () => {
  const { runtime, at, rounds } = begin(async (count) => {
    if (count === 2) rounds.nudge();
    return false;
  });
  await runtime.advance(10);
  rounds.nudge();
  await runtime.advance(10);
  assert.deepEqual(at, [0, 10, 10]);
  await rounds.stop();
});

test('a round that throws is logged, and the next one tries again', async () => {
  const { runtime, at, rounds } = begin(async (count) => {
    if (count === 1) throw new Error('no');
    return false;
  });
  await runtime.advance(EVERY_MS);
  assert.deepEqual(at, [0, EVERY_MS]);
  assert.deepEqual(runtime.lines.map(({ level, message }) => [level, message]), [['warn', 'it failed']]);
  await rounds.stop();
});

test('stopping at rest begins no other round', async () => {
  const { runtime, at, rounds } = begin(async () => false);
  await runtime.advance(EVERY_MS / 2);
  await rounds.stop();
  assert.deepEqual(at, [0]);
});
