import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthCollecting } from './idle-collection.ts';

const MB = 1024 * 1024;

test('a process at rest is collected once, and again when it has grown', () => {
  const rest = { share: 0.002, bytes: 80 * MB, bytesBefore: undefined, livingBytes: 40 * MB };
  assert.equal(isWorthCollecting(rest), true);
  assert.equal(isWorthCollecting({ ...rest, bytesBefore: 75 * MB }), false);
  assert.equal(isWorthCollecting({ ...rest, bytesBefore: 40 * MB }), true);
});

test('not one that works, and not a heap that would take long', () => {
  assert.equal(isWorthCollecting({ share: 0.05, bytes: 80 * MB, bytesBefore: undefined, livingBytes: 40 * MB }), false);
  assert.equal(isWorthCollecting({ share: 0.002, bytes: 800 * MB, bytesBefore: undefined, livingBytes: 600 * MB }), false);
});
