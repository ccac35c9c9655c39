import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heapGrowth } from './heap-growth.ts';
import { youngGrowth } from './young-generation.ts';

const MB = 1024 * 1024;

test('a small heap grows to two and a half times what lives, a middling one by 64 MB, a large one by 25%', () => {
  assert.equal(heapGrowth(20 * MB), 150);
  assert.equal(heapGrowth(50 * MB), 128);
  assert.equal(heapGrowth(64 * MB), 100);
  assert.equal(heapGrowth(100 * MB), 64);
  assert.equal(heapGrowth(130 * MB), 34);
  assert.equal(heapGrowth(400 * MB), 25);
});

test('the young generation doubles up to 32 MB', () => {
  assert.equal(youngGrowth(2 * MB), 2);
  assert.equal(youngGrowth(16 * MB), 2);
  assert.equal(youngGrowth(32 * MB), 1);
  assert.equal(youngGrowth(128 * MB), 1);
});
