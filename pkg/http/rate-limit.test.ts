import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import type { LimitClass, RateLimit, UserLimits } from '../../schemas/config/rate-limits.ts';
import { LIMITS_DEFAULT } from './limit-classes.ts';
import { MatrixError } from './matrix-error.ts';
import { createRateLimiter, type RateLimiterOptions } from './rate-limit.ts';

const limits = { ...LIMITS_DEFAULT, login: { perSecond: 0.5, burst: 3 }, message: { perSecond: 10, burst: 2 } };

function setUp(more: Partial<RateLimiterOptions> = {}) {
  const runtime = createManualRuntime();
  const limiter = createRateLimiter({ clock: runtime.clock, limits, enabled: true, ...more });
  const passes = (limitClass: LimitClass, key: string, times: number) => {
    let passed = 0;
    for (let i = 0; i < times; i += 1) {
      try {
        limiter.take(limitClass, key);
        passed += 1;
      } catch (error) {
        assert.ok(error instanceof MatrixError);
      }
    }
    return passed;
  };
  return { runtime, limiter, passes };
}

test('a burst passes, then what comes back each second', async () => {
  const { runtime, passes } = setUp();
  assert.equal(passes('login', 'a', 10), 3);
  await runtime.advance(2000);
  assert.equal(passes('login', 'a', 10), 1);
  await runtime.advance(3_600_000);
  assert.equal(passes('login', 'a', 10), 3, 'no more than the burst is ever saved up');
});

test('classes and keys do not share', () => {
  const { passes } = setUp();
  assert.deepEqual([passes('login', 'a', 5), passes('login', 'b', 5), passes('message', 'a', 5)], [3, 3, 2]);
});

test('the error says when to come back, and then it works', async () => {
  const { runtime, limiter, passes } = setUp();
  passes('login', 'a', 3);
  await runtime.advance(500);
  assert.throws(() => limiter.take('login', 'a'), (error: unknown) => {
    assert.ok(error instanceof MatrixError);
    assert.deepEqual([error.status, error.errcode, error.fields, error.headers], [429, 'M_LIMIT_EXCEEDED', { retry_after_ms: 1500 }, { 'retry-after': '2' }]);
    return true;
  });
  await runtime.advance(1500);
  limiter.take('login', 'a');
});

test('the number of buckets is bounded; the one unused for longest goes', () => {
  const { limiter, passes } = setUp({ bucketsMax: 3 });
  passes('login', 'a', 3);
  passes('login', 'b', 3);
  passes('login', 'c', 3);
  passes('login', 'a', 1);
  for (let i = 0; i < 2; i += 1) passes('login', `new ${i}`, 1);
  assert.equal(limiter.size(), 3);
  assert.equal(passes('login', 'a', 1), 0, 'a was used lately and is still empty');
  assert.equal(passes('login', 'b', 5), 3, 'b was dropped and starts full');
});

test('switched off, everything passes', () => {
  const { limiter, passes } = setUp({ enabled: false });
  assert.equal(passes('login', 'a', 100), 100);
  assert.equal(limiter.size(), 0);
});

test('users have limits of their own, or none; nobody is exempt from the limits of log-ins', () => {
  const userLimits: UserLimits = new Map<string, 'exempt' | { message: RateLimit }>([['@free:a', 'exempt'], ['@more:a', { message: { perSecond: 1, burst: 5 } }]]);
  const { passes } = setUp({ userLimits });
  assert.deepEqual([passes('message', '@free:a', 50), passes('report', '@free:a', 50)], [50, 50]);
  assert.deepEqual([passes('message', '@more:a', 50), passes('report', '@more:a', 50)], [5, limits.report.burst]);
  assert.equal(passes('message', '@other:a', 50), 2);
  assert.equal(passes('login-account', '@free:a', 50), limits['login-account'].burst);
});

test('what another process let through is missing here, and a debt is paid back before anything passes', async () => {
  const { runtime, limiter, passes } = setUp();
  limiter.note({ name: 'login a', count: 2 });
  assert.equal(passes('login', 'a', 5), 1);
  limiter.note({ name: 'login a', count: 4 });
  await runtime.advance(8000);
  assert.equal(passes('login', 'a', 5), 0);
  await runtime.advance(2000);
  assert.equal(passes('login', 'a', 5), 1);
});

test('a debt is bounded, and what no limit has a name for is ignored', async () => {
  const { runtime, limiter, passes } = setUp();
  limiter.note({ name: 'login a', count: 1_000_000 });
  for (const name of ['', 'login', 'unknown a', 'constructor a']) limiter.note({ name, count: 1 });
  assert.equal(limiter.size(), 1);
  await runtime.advance(26_000);
  assert.equal(passes('login', 'a', 5), 1);
});
