import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FillingTables } from './filling-tables.ts';

test('a table is looked at when it has 1,000 rows, and again each time it has four times as many, up to 300,000', () => {
  const tables = new FillingTables();
  const looks: number[] = [];
  for (let rows = 100; rows <= 2_000_000; rows += 100) {
    const due = tables.add(new Map([['memberships', 100], ['rooms', rows === 100 ? 1 : 0]]));
    if (due.length > 0) looks.push(rows);
    assert.ok(!due.includes('rooms'));
  }
  assert.deepEqual(looks, [1_000, 4_000, 16_000, 64_000, 256_000]);
});

test('many rows at once are one look', () => {
  const tables = new FillingTables();
  assert.deepEqual(tables.add(new Map([['events', 50_000]])), ['events']);
  assert.deepEqual(tables.add(new Map([['events', 10_000]])), []);
  assert.deepEqual(tables.add(new Map([['events', 4_000], ['rooms', 1_000]])), ['events', 'rooms']);
});
