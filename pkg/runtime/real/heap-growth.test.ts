import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heapGrowth } from './heap-growth.ts';
import { youngGeneration } from './young-generation.ts';

const MB = 1024 * 1024;

test('a small heap grows to two and a half times what lives, a middling one by 64 MB, a large one by 25%', () => {
  assert.equal(heapGrowth(20 * MB), 150);
  assert.equal(heapGrowth(50 * MB), 128);
  assert.equal(heapGrowth(64 * MB), 100);
  assert.equal(heapGrowth(100 * MB), 64);
  assert.equal(heapGrowth(130 * MB), 34);
  assert.equal(heapGrowth(400 * MB), 25);
});

test('the young generation doubles up to 32 MB, and to 64 MB where cores are short', () => {
  const growth = (megabytes: number, coresAreShort: boolean): number => youngGeneration(megabytes * MB, coresAreShort).growth;
  assert.deepEqual([2, 16, 32, 64, 128].map((megabytes) => growth(megabytes, false)), [2, 2, 1, 1, 1]);
  assert.deepEqual([2, 16, 32, 64, 128].map((megabytes) => growth(megabytes, true)), [2, 2, 2, 1, 1]);
});

test('threads help to collect it where cores are free', () => {
  assert.equal(youngGeneration(16 * MB, false).isParallel, true);
  assert.equal(youngGeneration(16 * MB, true).isParallel, false);
});
