import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database, InsertMany, SqlValue } from '../../../pkg/storage/database.ts';
import { ofKind, onEachBackend, type Backend } from './backends.ts';

const COLUMNS = ['id', 'n', 'body'] as const;

async function items(backend: Backend): Promise<Database> {
  const database = await backend.open();
  await database.transaction((tx) => tx.run('CREATE TABLE items (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, body BLOB)'));
  return database;
}

function numbered(count: number, offset = 0): SqlValue[][] {
  return Array.from({ length: count }, (_, index) => [`id-${index + offset}`, index + offset, Buffer.from(`body ${index}`)]);
}

async function insert(database: Database, rows: InsertMany['rows'], onConflict?: string): Promise<number> {
  return (await database.transaction((tx) => tx.insertMany({ into: 'items', columns: COLUMNS, rows, ...(onConflict ? { onConflict } : {}) }))).changes;
}

async function count(database: Database): Promise<number | undefined> {
  return (await database.query<{ n: number }>('SELECT COUNT(*) AS n FROM items'))[0]?.n;
}

onEachBackend('insertMany', (backend) => {
  test('inserts nothing, one, a few and 5,000 rows', async () => {
    const database = await items(backend);
    let total = 0;
    for (const size of [0, 1, 2, 3, 7, 511, 512, 513, 5_000]) {
      assert.equal(await insert(database, numbered(size, total)), size);
      total += size;
    }
    assert.equal(await count(database), total);
    assert.deepEqual(await database.query('SELECT id, n, body FROM items WHERE n = ?', [total - 1]), [
      { id: `id-${total - 1}`, n: total - 1, body: Buffer.from('body 4999') },
    ]);
  });

  test('DO NOTHING counts only what it inserted, also with repeats within the call', async () => {
    const database = await items(backend);
    await insert(database, numbered(10));
    const rows = [...numbered(15), ...numbered(15)];
    assert.equal(await insert(database, rows, 'ON CONFLICT (id) DO NOTHING'), 5);
    assert.equal(await insert(database, rows, 'ON CONFLICT DO NOTHING'), 0);
    assert.equal(await count(database), 15);
  });

  test('DO UPDATE counts what it changed; rows that its WHERE leaves alone do not count', async () => {
    const database = await items(backend);
    await insert(database, numbered(100));
    const update = 'ON CONFLICT (id) DO UPDATE SET n = excluded.n, body = excluded.body WHERE excluded.n > items.n';
    const rows = numbered(110).map(([id, n, body]) => [id, (n as number) % 2 === 0 ? (n as number) + 1_000 : n, body] as SqlValue[]);
    assert.equal(await insert(database, rows, update), 60);
    assert.equal(await count(database), 110);
    assert.deepEqual(await database.query('SELECT n FROM items WHERE id IN (?, ?) ORDER BY n', ['id-3', 'id-4']), [{ n: 3 }, { n: 1_004 }]);
  });

  test('DO UPDATE takes equal keys in one call, in order: the last one wins', async () => {
    const database = await items(backend);
    const rows: SqlValue[][] = [];
    for (let index = 0; index < 600; index += 1) rows.push([`id-${index % 150}`, index, null]);
    assert.equal(await insert(database, rows, 'ON CONFLICT (id) DO UPDATE SET n = excluded.n'), 600);
    assert.deepEqual(await database.query('SELECT COUNT(*) AS count, MIN(n) AS low, MAX(n) AS high FROM items'), [{ count: 150, low: 450, high: 599 }]);
  });

  test('one wrong row among thousands undoes them all', async () => {
    const database = await items(backend);
    await assert.rejects(insert(database, [...numbered(2_000), ...numbered(1, 700), ...numbered(2_000, 3_000)]), ofKind('bug', /items/));
    assert.equal(await count(database), 0);
  });

  test('a row with too few values is refused', async () => {
    const database = await items(backend);
    await assert.rejects(insert(database, [...numbered(3), ['short', 1]]), ofKind('bug'));
    assert.equal(await count(database), 0);
  });
});

onEachBackend('queryIn', (backend) => {
  test('no values, one, some, 1,000, repeated and unknown ones', async () => {
    const database = await items(backend);
    await insert(database, numbered(3_000));
    const find = async (from: Pick<Database, 'queryIn'>, ids: readonly string[]): Promise<number[]> =>
      (await from.queryIn<{ n: number }>('SELECT n FROM items WHERE n >= ? AND id IN (??) ORDER BY n', [5], ids)).map((row) => row.n);
    assert.deepEqual(await find(database, []), []);
    assert.deepEqual(await find(database, ['id-7']), [7]);
    assert.deepEqual(await find(database, ['id-9', 'id-4', 'id-7', 'id-9', 'nobody']), [7, 9]);
    const thousand = Array.from({ length: 1_000 }, (_, index) => `id-${index * 3}`);
    const expected = thousand.map((_, index) => index * 3).filter((n) => n >= 5);
    assert.deepEqual(await find(database, thousand), expected);
    assert.deepEqual(await database.transaction((tx) => find(tx, thousand)), expected);
    assert.deepEqual(await database.transaction((tx) => find(tx, [])), []);
  });

  test('numbers and bytes can be looked up too', async () => {
    const database = await items(backend);
    await insert(database, numbered(20));
    assert.deepEqual(await database.queryIn('SELECT id FROM items WHERE n IN (??)', [], [3, 99]), [{ id: 'id-3' }]);
    assert.deepEqual(await database.queryIn('SELECT id FROM items WHERE body IN (??)', [], [Buffer.from('body 4')]), [{ id: 'id-4' }]);
  });

  test('20,000 values give each row once; sorting them is refused', async () => {
    const database = await items(backend);
    await insert(database, numbered(3_000));
    const values = Array.from({ length: 20_000 }, (_, index) => index % 10_000);
    const found = await database.queryIn<{ n: number }>('SELECT n FROM items WHERE n IN (??)', [], values);
    assert.deepEqual(found.map((row) => row.n).sort((a, b) => a - b), Array.from({ length: 3_000 }, (_, index) => index));
    await assert.rejects(database.queryIn('SELECT n FROM items WHERE n IN (??) ORDER BY n', [], values), ofKind('bug', /sort/));
  });

  test('a text without its place is refused', async () => {
    const database = await items(backend);
    for (const sql of ['SELECT n FROM items', 'SELECT n FROM items WHERE n IN (??) AND id = ?', "SELECT '??' AS a"]) {
      await assert.rejects(database.queryIn(sql, [], [1]), ofKind('bug', /last place/), sql);
    }
  });
});
