import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { untilLook } from './until-look.ts';

const at = (ms: number) => ({ monotonic: () => ms });

test('those who look every two seconds do so whenever every other one of those does who look every second', () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (nowMs) => {
    const [often, seldom] = [nowMs + untilLook(at(nowMs), 1000), nowMs + untilLook(at(nowMs), 2000)];
    assert.ok(Math.abs((seldom - often) % 1000) < 1e-3 || Math.abs(Math.abs((seldom - often) % 1000) - 1000) < 1e-3);
  }));
});

test('the rest is never none, and lasts hardly longer than it should', () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.integer({ min: 100, max: 60_000 }), (nowMs, everyMs) => {
    const ms = untilLook(at(nowMs), everyMs);
    assert.ok(ms > 10 && ms <= everyMs + 10, String(ms));
  }));
});

test('a timer that fires a little early makes nobody look twice', () => {
  assert.equal(untilLook(at(1999.4), 2000), 2000.6);
  assert.equal(untilLook(at(2000), 2000), 2000);
  assert.equal(untilLook(at(2001), 2000), 1999);
});
