import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from './departure.ts';

test('who listens is told once, and the signal is aborted whether it was asked for before or after', () => {
  const departure = new Departure();
  let told = 0;
  departure.listen({ departed: () => assert.fail('another listens instead') });
  departure.listen({ departed: () => (told += 1) });
  const { signal } = departure;
  assert.deepEqual([departure.isDue, departure.isGone, signal.aborted], [false, false, false]);
  departure.leave('stopping');
  assert.deepEqual([departure.isDue, departure.isGone, signal.aborted, told], [true, false, true, 1]);
  departure.leave('gone');
  assert.deepEqual([departure.isGone, told], [true, 1]);
  const late = new Departure();
  late.leave('gone');
  assert.equal(late.signal.aborted, true);
});

test('who listens no more is not told', () => {
  const departure = new Departure();
  departure.listen({ departed: () => assert.fail('told') });
  departure.listen(undefined);
  departure.leave('gone');
});
