import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createIntake } from './intake.ts';
import { createPace } from './pace.ts';

const { signal } = new AbortController();

function stand() {
  const runtime = createManualRuntime();
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

test('an end is not waited for', async () => {
  const { runtime } = stand();
  const pace = createPace(runtime.clock, createIntake({ records: 10, bytes: 10 }));
  const ending = new AbortController();
  pace.note(runtime.clock.monotonic(), 100);
  const waiting = pace.wait(ending.signal);
  ending.abort();
  await waiting;
});
