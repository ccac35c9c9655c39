import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertText } from './insert-text.ts';

test('an insert is the same text for the same table, columns, rows and conflict, and another for others', () => {
  assert.equal(insertText({ into: 't', columns: ['a', 'b'], onConflict: 'ON CONFLICT (a) DO NOTHING' }, 2), 'INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT (a) DO NOTHING');
  const inserts = [{ into: 't', columns: ['a', 'b'] }, { into: 't', columns: ['b', 'a'] }, { into: 't', columns: ['a'] }, { into: 'u', columns: ['a', 'b'] }, { into: 't', columns: ['a', 'b'], onConflict: 'ON CONFLICT DO NOTHING' }];
  const texts = inserts.map((insert) => insertText(insert));
  assert.deepEqual(texts, ['INSERT INTO t (a, b) VALUES (?, ?) ', 'INSERT INTO t (b, a) VALUES (?, ?) ', 'INSERT INTO t (a) VALUES (?) ', 'INSERT INTO u (a, b) VALUES (?, ?) ', 'INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT DO NOTHING']);
  assert.deepEqual(inserts.map((insert) => insertText({ ...insert, columns: [...insert.columns] })), texts);
  for (let index = 0; index < 100; index += 1) assert.equal(insertText({ into: 't', columns: [`c${index}`] }), `INSERT INTO t (c${index}) VALUES (?) `);
});
