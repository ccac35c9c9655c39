import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database, SqlValue } from '../../../pkg/storage/database.ts';
import { isStorableText } from '../../../pkg/storage/dialect.ts';
import { ofKind, onEachBackend, type Backend } from './backends.ts';

async function things(backend: Backend): Promise<Database> {
  const database = await backend.open();
  await database.transaction((tx) =>
    tx.run('CREATE TABLE things (id TEXT NOT NULL PRIMARY KEY, number BIGINT, flag INTEGER, bytes BLOB, text TEXT) WITHOUT ROWID'));
  return database;
}

async function store(database: Database, values: readonly SqlValue[]): Promise<void> {
  await database.transaction((tx) => tx.run('INSERT INTO things (id, number, flag, bytes, text) VALUES (?, ?, ?, ?, ?)', values));
}

onEachBackend('values', (backend) => {
  test('every type comes back as it went in', async () => {
    const database = await things(backend);
    const rows: SqlValue[][] = [
      ['a', 0, 0, new Uint8Array(), ''],
      ['b', Number.MAX_SAFE_INTEGER, 1, new Uint8Array([0, 1, 254, 255]), 'naïve ☃ 𝒳 👩‍👩‍👧 \u{10ffff} \ufeff\u0001\r\n\t'],
      ['c', Number.MIN_SAFE_INTEGER, 1, Buffer.from(Uint8Array.from({ length: 70_000 }, (_, index) => index % 251)), `quotes ' " ? ?? $1 \\ ;--`],
      ['d', -2_147_483_649, null, null, null],
      ['e', 1_785_000_000_000, 1, new Uint8Array([1, 2, 3, 4]).subarray(1, 3), 'x'.repeat(300_000)],
    ];
    for (const row of rows) await store(database, row);
    const found = await database.query('SELECT id, number, flag, bytes, text FROM things ORDER BY id');
    assert.deepEqual(
      found.map((row) => Object.values(row).map(plain)),
      rows.map((row) => row.map(plain)),
    );
    assert.deepEqual(Object.keys(found[0] ?? {}), ['id', 'number', 'flag', 'bytes', 'text']);
    assert.ok(found[1]?.['bytes'] instanceof Uint8Array);
  });

  test('counts and sums are numbers, comparisons 0 and 1, a number in text stays whole', async () => {
    const database = await things(backend);
    await store(database, ['a', 5_000_000_000, 1, null, 'x']);
    await store(database, ['b', 5_000_000_000, 0, null, 'y']);
    const sql = "SELECT COUNT(*) AS count, SUM(number) AS sum, MAX(id) AS last, MAX(number) = ? AS same, COALESCE(SUM(flag), 0) AS flags FROM things";
    assert.deepEqual(await database.query(sql, [5_000_000_000]), [{ count: 2, sum: 10_000_000_000, last: 'b', same: 1, flags: 1 }]);
    assert.deepEqual(await database.query('SELECT CAST(? AS BIGINT) / 2 AS half, CAST(? AS BLOB) AS bytes', [7, new Uint8Array([9])]), [
      { half: 3, bytes: Buffer.from([9]) },
    ]);
    assert.deepEqual(await database.query('SELECT id FROM things ORDER BY id LIMIT ? OFFSET ?', [1, 1]), [{ id: 'b' }]);
  });

  test('text is sorted and compared by its bytes', async () => {
    const database = await things(backend);
    const ids = ['B', 'a', 'é', 'Z', '_', '10', '9', '𝒳', '\uffee', '', 'ab', 'a b'];
    for (const id of ids) await store(database, [id, null, null, null, null]);
    const byBytes = ids.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    const sorted = await database.query<{ id: string }>('SELECT id FROM things ORDER BY id');
    assert.deepEqual(sorted.map((row) => row.id), byBytes);
    const after = await database.query<{ id: string }>('SELECT id FROM things WHERE id > ? ORDER BY id', ['a']);
    assert.deepEqual(after.map((row) => row.id), byBytes.slice(byBytes.indexOf('a') + 1));
  });

  test('what the two databases would not store alike is refused and changes nothing', async () => {
    const database = await things(backend);
    const refused: [unknown, RegExp][] = [
      [undefined, /parameter 5 is undefined/],
      ['nul \0 inside', /U\+0000/],
      ['half \ud83d', /surrogate/],
      [0.5, /not a safe integer/],
      [Number.NaN, /not a safe integer/],
      [2 ** 53, /not a safe integer/],
      [true, /a boolean/],
      [5n, /a bigint/],
      [{}, /a object|an object/],
    ];
    for (const [value, message] of refused) {
      await assert.rejects(store(database, ['x', 1, 1, null, value as SqlValue]), ofKind('bug', message));
      await assert.rejects(database.query('SELECT id FROM things WHERE text = ?', [value as SqlValue]), ofKind('bug'));
    }
    const row = ['x', 1, 1, null, undefined as unknown as SqlValue];
    await assert.rejects(
      database.transaction((tx) => tx.insertMany({ into: 'things', columns: ['id', 'number', 'flag', 'bytes', 'text'], rows: [row] })),
      ofKind('bug', /undefined/),
    );
    assert.deepEqual(await database.query('SELECT id FROM things'), []);
    assert.deepEqual(['ok ☃', 'nul \0', '\udc00'].map(isStorableText), [true, false, false]);
  });

  test('too few or too many parameters are refused', async () => {
    const database = await things(backend);
    await assert.rejects(database.query('SELECT id FROM things WHERE id = ?', []), ofKind('bug'));
    await assert.rejects(database.query('SELECT id FROM things WHERE id = ?', ['a', 'b']), ofKind('bug'));
  });

  test('question marks in quotes and comments are no places', async () => {
    const database = await things(backend);
    const sql = `SELECT '?' AS a, 'it''s ??' AS b, CAST(? AS TEXT) AS "c?" -- and why not?
      /* none here? */ WHERE ? = 1`;
    assert.deepEqual(await database.query(sql, ['x', 1]), [{ a: '?', b: "it's ??", 'c?': 'x' }]);
  });
});

function plain(value: SqlValue): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
