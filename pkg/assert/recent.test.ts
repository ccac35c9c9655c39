import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecent } from './recent.ts';

test('what was not used for longest is forgotten when all weigh too much', () => {
  const recent = createRecent<string>(5, { weigh: (value) => value.length });
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

test('what is too heavy alone is not kept, nor what it replaces; cleared, it holds nothing', () => {
  const recent = createRecent<string>(5, { weigh: (value) => value.length });
  recent.set('a', 'xx');
  recent.set('b', 'x');
  recent.set('a', 'xxxxxx');
  assert.deepEqual([recent.get('a'), recent.get('b'), recent.weight()], [undefined, 'x', 1]);
  recent.clear();
  assert.deepEqual([recent.get('b'), recent.weight()], [undefined, 0]);
  recent.set('c', 'xxxxx');
  assert.equal(recent.get('c'), 'xxxxx');
});

test('lazily, what is used moves only when half of what may be here has come after it', () => {
  const recent = createRecent<number>(4, { lazy: true });
  for (const [n, key] of ['a', 'b', 'c', 'd'].entries()) recent.set(key, n);
  recent.get('b');
  recent.get('a');
  recent.set('e', 4);
  assert.deepEqual(['a', 'b', 'c', 'd', 'e'].map((key) => recent.get(key)), [0, undefined, 2, 3, 4]);
});
