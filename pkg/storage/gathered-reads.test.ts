import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SqlValue } from './database.ts';
import { gatheredReads } from './gathered-reads.ts';

interface Row {
  readonly id: Uint8Array;
  readonly name: string;
}

const id = (number: number): Uint8Array => new Uint8Array([number >> 8, number & 255]);

function stand() {
  const asked: number[] = [];
  const answers: { go: () => void; fail: (error: Error) => void }[] = [];
  const lookUp = gatheredReads<Row>((keys: readonly SqlValue[]) => {
    asked.push(keys.length);
    const rows = (keys as Uint8Array[]).filter((key) => (key[0]! << 8) + key[1]! !== 9).map((key) => ({ id: key, name: `row ${(key[0]! << 8) + key[1]!}` })).reverse();
    return new Promise((resolve, reject) => answers.push({ go: () => resolve(rows), fail: reject }));
  }, (row) => row.id);
  return { asked, answers, lookUp };
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
