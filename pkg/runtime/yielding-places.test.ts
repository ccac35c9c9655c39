import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timer } from './runtime.ts';
import { createYieldingPlaces } from './yielding-places.ts';

/** Timers that fire when the test says so, in the order of their beginning. */
function timers() {
  const set: (() => void)[] = [];
  return {
    fire: () => set.shift()?.(),
    timer(_ms: number, run: () => void): Timer {
      set.push(run);
      return { cancel: () => void (set.includes(run) && set.splice(set.indexOf(run), 1)) };
    },
  };
}

test('who takes long gives the place away, as long as not too many have', () => {
  const clock = timers();
  let free = 0;
  const places = createYieldingPlaces({ clock, limits: { places: 2, slowMs: 10, slowMax: 1 }, onFree: () => void (free += 1) });
  const [one, two] = [places.take(), places.take()];
  assert.equal(places.hasRoom(), false);
  clock.fire();
  assert.deepEqual([places.hasRoom(), free], [true, 1]);
  const three = places.take();
  clock.fire();
  assert.deepEqual([places.hasRoom(), free], [false, 1], 'one is slow already');
  one();
  assert.deepEqual([places.hasRoom(), free], [false, 2], 'the slow one left no place');
  clock.fire();
  assert.deepEqual([places.hasRoom(), free], [true, 3], 'another one may be slow now');
  two();
  three();
  assert.equal(free, 5);
});
