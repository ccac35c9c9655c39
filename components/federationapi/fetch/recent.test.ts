import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecent } from './recent.ts';

test('what was not used for longest is forgotten when all weigh too much', () => {
  const recent = createRecent<string>(5, (value) => value.length);
  recent.set('a', 'xx');
  recent.set('b', 'xx');
  recent.get('a');
  recent.set('c', 'xx');
  assert.deepEqual(['a', 'b', 'c'].map((key) => recent.get(key)), ['xx', undefined, 'xx']);
  recent.set('a', 'x');
  recent.set('d', 'xx');
  assert.deepEqual(['a', 'c', 'd'].map((key) => recent.get(key)), ['x', 'xx', 'xx']);
  recent.delete('c');
  recent.set('e', 'xx');
  assert.equal(recent.get('d'), 'xx');
});
