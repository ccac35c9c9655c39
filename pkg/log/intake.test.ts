import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIntake } from './intake.ts';

const pack = (offset: number, ...sizes: number[]) => ({ offset, records: sizes.map((size) => new Uint8Array(size)) });
const isOver = async (promise: Promise<void>): Promise<boolean> => {
  let over = false;
  void promise.then(() => (over = true));
  await new Promise((resolve) => setImmediate(resolve));
  return over;
};

test('a partition is held back by its records or by their bytes, and let go when there is room', async () => {
  const intake = createIntake({ records: 10, bytes: 1000 });
  assert.ok(await isOver(intake.add(0, [pack(1, 500)])));
  const heavy = intake.add(0, [pack(2, 600)]);
  assert.ok(!(await isOver(heavy)));
  const many = intake.add(1, [pack(1, ...Array<number>(10).fill(1))]);
  assert.ok(!(await isOver(many)));
  assert.deepEqual(intake.take({ records: 100, bytes: 600 }).map((one) => one.pack.offset), [1]);
  assert.ok(await isOver(heavy));
  intake.drop(1);
  assert.ok(await isOver(many));
});

test('a batch takes what fits, one pack at least, in the order of arrival; what is put back comes first', () => {
  const intake = createIntake({ records: 100, bytes: 10_000 });
  void intake.add(0, [pack(1, 900), pack(2, 50, 50)]);
  void intake.add(1, [pack(1, 50)]);
  assert.equal(intake.take({ records: 10, bytes: 100 }).length, 1);
  const taken = intake.take({ records: 2, bytes: 100 });
  assert.deepEqual(taken.map((one) => [one.partition, one.pack.offset]), [[0, 2]]);
  intake.putBack(taken);
  assert.deepEqual(intake.take({ records: 10, bytes: 1000 }).map((one) => [one.partition, one.pack.offset]), [[0, 2], [1, 1]]);
  assert.equal(intake.size(), 0);
});

test('who waits for several records is woken by the last of them, by a nudge or by the end', async () => {
  const intake = createIntake({ records: 100, bytes: 10_000 });
  const { signal } = new AbortController();
  const three = intake.ready(signal, 3);
  void intake.add(0, [pack(1, 1, 1)]);
  assert.ok(!(await isOver(three)));
  void intake.add(1, [pack(1, 1)]);
  assert.ok(await isOver(three));
  assert.ok(await isOver(intake.ready(signal)));
  intake.drop(1);
  const again = intake.ready(signal, 3);
  assert.ok(!(await isOver(again)));
  intake.nudge();
  assert.ok(await isOver(again));
  const ending = new AbortController();
  const last = intake.ready(ending.signal, 3);
  ending.abort();
  assert.ok(await isOver(last));
});
