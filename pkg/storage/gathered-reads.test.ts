import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import type { SqlValue } from './database.ts';
import { gatheredReads } from './gathered-reads.ts';

interface Row {
  readonly id: Uint8Array;
  readonly name: string;
}

const id = (number: number): Uint8Array => new Uint8Array([number >> 8, number & 255]);

/** `missed`: of all time, the share in which the thread lacks a core; it computes for a fifth of it. */
function stand({ missed = 0 } = {}) {
  const runtime = createManualRuntime();
  const { clock } = runtime;
  Object.assign(clock, { cores: () => ({ usedMs: clock.monotonic() * 0.2, missedMs: clock.monotonic() * missed }) });
  const asked: number[] = [];
  const answers: { go: () => void; fail: (error: Error) => void }[] = [];
  function read(keys: readonly SqlValue[]): Promise<Row[]> {
    asked.push(keys.length);
    const rows = (keys as Uint8Array[]).filter((key) => (key[0]! << 8) + key[1]! !== 9).map((key) => ({ id: key, name: `row ${(key[0]! << 8) + key[1]!}` })).reverse();
    return new Promise((resolve, reject) => answers.push({ go: () => resolve(rows), fail: reject }));
  }
  return { asked, answers, runtime, lookUp: gatheredReads<Row>({ read, keyOf: (row) => row.id, clock }) };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('who asks while a query is under way goes into the next one, each key once', async () => {
  const { asked, answers, lookUp } = stand();
  const first = lookUp(id(1));
  const others = [lookUp(id(2)), lookUp(id(3)), lookUp(id(2)), lookUp(id(9))];
  assert.deepEqual(asked, [1]);
  answers[0]!.go();
  assert.equal((await first)?.name, 'row 1');
  await settle();
  assert.deepEqual(asked, [1, 3]);
  answers[1]!.go();
  assert.deepEqual((await Promise.all(others)).map((row) => row?.name), ['row 2', 'row 3', 'row 2', undefined]);
  const alone = lookUp(id(4));
  await settle();
  answers[2]!.go();
  assert.equal((await alone)?.name, 'row 4');
});

test('a query that fails fails for those who were in it, and for nobody else; a query takes 500 keys at most', async () => {
  const { asked, answers, lookUp } = stand();
  const first = lookUp(id(1));
  const others = Array.from({ length: 600 }, (_, index) => lookUp(id(index * 2 + 10)));
  answers[0]!.fail(new Error('no database'));
  await assert.rejects(first, /no database/);
  await settle();
  answers[1]!.go();
  await settle();
  assert.deepEqual(asked, [1, 500, 100]);
  answers[2]!.go();
  assert.equal((await Promise.all(others)).filter((row) => row !== undefined).length, 600);
});

for (const [cores, missed, restMs] of [['to spare', 0.1, 0], ['short', 0.6, 8]] as const) {
  test(`where cores are ${cores}, the next query begins ${restMs} ms after one of 4 ms`, async () => {
    const { asked, answers, runtime, lookUp } = stand({ missed });
    await runtime.advance(1000);
    const first = lookUp(id(1));
    await runtime.advance(4);
    answers[0]!.go();
    await first;
    const second = lookUp(id(2));
    await runtime.advance(Math.max(0, restMs - 1));
    const third = lookUp(id(3));
    assert.deepEqual(asked, restMs === 0 ? [1, 1] : [1], 'who asks during the rest waits for its end');
    await runtime.advance(1);
    answers[1]!.go();
    await runtime.advance(100);
    answers[2]?.go();
    assert.deepEqual((await Promise.all([second, third])).map((row) => row?.name), ['row 2', 'row 3']);
    assert.deepEqual(asked, restMs === 0 ? [1, 1, 1] : [1, 2]);
  });
}
