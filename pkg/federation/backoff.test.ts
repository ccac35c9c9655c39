import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterContact, afterFailure, waitMs } from './backoff.ts';
import type { Backoff } from './backoff.ts';

const BOUNDS = { firstMs: 1000, maxMs: 10_000, factor: 2, jitter: 0.5 };

function failures(count: number, random: number): number[] {
  let backoff: Backoff | undefined;
  let nowMs = 0;
  return Array.from({ length: count }, () => {
    backoff = afterFailure(backoff, BOUNDS, { nowMs, random });
    const pause = waitMs(backoff, nowMs);
    nowMs = backoff.retryAtMs;
    return pause;
  });
}

test('pauses double up to their bound; chance shortens them by its share at most', () => {
  assert.deepEqual(failures(6, 0), [1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.deepEqual(failures(5, 0.999_999), [500, 1000, 2000, 4000, 5000]);
  assert.equal(failures(2000, 0).at(-1), 10_000, 'no overflow');
});

test('the pause that a destination asks for is kept, within the bound', () => {
  assert.equal(waitMs(afterFailure(undefined, BOUNDS, { nowMs: 0, random: 0, retryAfterMs: 5000 }), 0), 5000);
  assert.equal(waitMs(afterFailure(undefined, BOUNDS, { nowMs: 0, random: 0, retryAfterMs: 5 }), 0), 1000);
  assert.equal(waitMs(afterFailure(undefined, BOUNDS, { nowMs: 0, random: 0, retryAfterMs: 1e12 }), 0), 10_000);
});

test('requests that were under way together count once', () => {
  const first = afterFailure(undefined, BOUNDS, { nowMs: 100, random: 0.9, startedMs: 0 });
  assert.equal(afterFailure(first, BOUNDS, { nowMs: 101, random: 0, startedMs: 99 }), first);
  assert.equal(afterFailure(first, BOUNDS, { nowMs: 2000, random: 0, startedMs: 1500 }).failures, 2);
});

test('contact ends the pause; only an answer ends the row of failures', () => {
  const failing = afterFailure(afterFailure(undefined, BOUNDS, { nowMs: 0, random: 0 }), BOUNDS, { nowMs: 1000, random: 0 });
  assert.equal(afterContact(failing, { nowMs: 1500, answered: true }), undefined);
  const asked = afterContact(failing, { nowMs: 1500, answered: false });
  assert.equal(waitMs(asked, 1500), 0);
  assert.equal(waitMs(failing, 1500), 1500);
  const again = afterFailure(asked, BOUNDS, { nowMs: 1600, random: 0 });
  assert.deepEqual([again.failures, waitMs(again, 1600), again.failingSinceMs], [3, 4000, 0]);
  assert.equal(afterContact(undefined, { nowMs: 0, answered: false }), undefined);
  assert.equal(waitMs(undefined, 5), 0);
});
