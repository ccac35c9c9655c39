import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../../../pkg/storage/database.ts';
import { ofKind, onEachBackend } from './backends.ts';

const ROWS = 2000;
const ROUNDS = 10;

/** Bytes of the table that only grow: the file, or PostgreSQL's heap of the table. */
async function bytesOf(database: Database): Promise<number> {
  const [row] = database.dialect === 'sqlite'
    ? await database.query<{ bytes: number }>('SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()')
    : await database.query<{ bytes: number }>("SELECT pg_relation_size('items') AS bytes");
  return row?.bytes ?? 0;
}

async function comeAndGo(database: Database, round: number): Promise<void> {
  const rows = Array.from({ length: ROWS }, (_, index) => [round * ROWS + index, Buffer.alloc(500, round)]);
  await database.transaction(async (tx) => void (await tx.insertMany({ into: 'items', columns: ['id', 'body'], rows })));
  await database.transaction(async (tx) => void (await tx.run('DELETE FROM items WHERE id < ?', [(round + 1) * ROWS])));
}

onEachBackend('space of deleted rows', (backend) => {
  test('is used again by the next ones', async () => {
    const database = await backend.open();
    await database.transaction((tx) => tx.run('CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, body BLOB)'));
    await comeAndGo(database, 0);
    const once = await bytesOf(database);
    for (let round = 1; round < ROUNDS; round += 1) {
      await database.reuseSpace('items');
      await comeAndGo(database, round);
    }
    // Not every call has to succeed: PostgreSQL leaves a table out that it analyses just then, and rows that another transaction
    // may still see. The next call has them. Without any, the table would be ROUNDS times as large.
    assert.ok((await bytesOf(database)) < (ROUNDS / 2) * once, `${await bytesOf(database)} bytes after ${ROUNDS} rounds, ${once} after one`);
  });

  test('several processes may ask for it at once, while others write', async () => {
    const database = await backend.open();
    await database.transaction((tx) => tx.run('CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, body BLOB)'));
    await comeAndGo(database, 0);
    await Promise.all([database.reuseSpace('items'), database.reuseSpace('items'), comeAndGo(database, 1)]);
  });

  if (backend.name === 'postgres') test('a name that is none is refused', async () => {
    const database = await backend.open();
    await assert.rejects(database.reuseSpace('items; DROP TABLE items'), ofKind('bug', /not a name/));
  });
});
