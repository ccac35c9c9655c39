import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertStatements } from './insert-texts.ts';

function sizes(rows: number, columns: number): number[] {
  const names = Array.from({ length: columns }, (_, index) => `c${index}`);
  const values = Array.from({ length: rows }, () => names.map(() => 1));
  return insertStatements({ into: 't', columns: names, rows: values }).map((part) => part.params.length / columns);
}

test('rows go in powers of two, 512 at most, below the protocol\'s count of parameters', () => {
  assert.deepEqual(sizes(1, 3), [1]);
  assert.deepEqual(sizes(500, 3), [256, 128, 64, 32, 16, 4]);
  assert.deepEqual(sizes(1_100, 3), [512, 512, 64, 8, 4]);
  assert.deepEqual(sizes(512, 200), [256, 256]);
});

test('rows with equal conflict keys go into different statements, in order', () => {
  const insert = { into: 't', columns: ['a', 'b', 'n'], onConflict: 'ON CONFLICT (b, a) DO UPDATE SET n = excluded.n' };
  const rows = [['x', 1, 1], ['x', 2, 2], ['x', 1, 3], ['x', 2, 4], ['x', 1, 5]];
  const parts = insertStatements({ ...insert, rows });
  assert.deepEqual(parts.map((part) => part.params), [['x', 1, 1, 'x', 2, 2], ['x', 1, 3, 'x', 2, 4], ['x', 1, 5]]);
  const nothing = insertStatements({ ...insert, rows, onConflict: 'ON CONFLICT (b, a) DO NOTHING' });
  assert.deepEqual(nothing.map((part) => part.params.length / 3), [4, 1]);
});
