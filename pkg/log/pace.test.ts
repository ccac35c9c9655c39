import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createIntake } from './intake.ts';
import { createPace } from './pace.ts';

const { signal } = new AbortController();

/** `missed`: of all time, the share in which the thread lacks a core; it computes for a fifth of it. */
function stand({ missed = 0 } = {}) {
  const runtime = createManualRuntime();
  const { clock } = runtime;
  Object.assign(clock, { cores: () => ({ usedMs: clock.monotonic() * 0.2, missedMs: clock.monotonic() * missed }) });
  const intake = createIntake({ records: 1000, bytes: 100_000 });
  const pace = createPace(runtime.clock, intake);
  let offset = 0;
  return {
    runtime,
    arrive: (records: number) => void intake.add(0, [{ offset: (offset += 1), records: Array.from({ length: records }, () => new Uint8Array(1)) }]),
    /** A round of so many records that takes so long; the ms until the next one begins, while `during` happens. */
    async round(records: number, tookMs: number, during: () => Promise<void> = async () => undefined): Promise<number> {
      const startedAt = runtime.clock.monotonic();
      await runtime.advance(tookMs);
      pace.note(startedAt, records);
      let began: number | undefined;
      void pace.wait(signal).then(() => (began = runtime.clock.monotonic()));
      await runtime.settle();
      await during();
      while (began === undefined) await runtime.advance(0.5);
      return began - startedAt;
    },
  };
}

test('a round of one record is followed at once by the next', async () => {
  const { arrive, round } = stand();
  arrive(1);
  assert.equal(await round(1, 3), 3);
});

test('after several the next one waits for as long as they take to come, at most 15 ms, the round itself counted in', async () => {
  const { arrive, round } = stand();
  arrive(1);
  assert.equal(await round(4, 2), 6);
  assert.equal(await round(10, 2), 15);
  assert.equal(await round(400, 2), 15);
  assert.equal(await round(400, 40), 40);
});

test('and not at all once 16 wait', async () => {
  const { arrive, round, runtime } = stand();
  arrive(5);
  assert.equal(await round(10, 2, async () => {
    await runtime.advance(3);
    arrive(10);
    await runtime.advance(3);
    arrive(1);
    await runtime.settle();
  }), 8);
  assert.equal(await round(10, 2), 2);
});

test('where cores are short more may come, for no longer than three times what the round took, and at most 160 ms from its beginning', async () => {
  const { arrive, round, runtime } = stand({ missed: 0.4 });
  await runtime.advance(1000);
  arrive(150);
  assert.equal(await round(200, 30), 120);
  assert.equal(await round(200, 70), 160);
  assert.equal(await round(200, 170), 170);
  assert.equal(await round(30, 40), 45);
  assert.equal(await round(100, 5), 20);
  assert.equal(await round(100, 3), 15);
  assert.equal(await round(1, 3), 3);
  assert.equal(await round(100, 30, async () => {
    await runtime.advance(10);
    arrive(50);
    await runtime.settle();
  }), 40);

  const free = stand({ missed: 0.05 });
  await free.runtime.advance(1000);
  free.arrive(10);
  assert.equal(await free.round(100, 30), 30);
});

test('an end is not waited for', async () => {
  const { runtime } = stand();
  const pace = createPace(runtime.clock, createIntake({ records: 10, bytes: 10 }));
  const ending = new AbortController();
  pace.note(runtime.clock.monotonic(), 100);
  const waiting = pace.wait(ending.signal);
  ending.abort();
  await waiting;
});
