/** The same random transactions on SQLite and on PostgreSQL end in the same tables, the same counts and the same errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Database, SqlRow, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { onPostgres } from './backends.ts';

type Step = (tx: Transaction) => Promise<unknown>;

interface NamedStep {
  readonly text: string;
  readonly step: Step;
}

const COLUMNS = ['id', 'room', 'n', 'body'] as const;
const CONFLICTS = [
  '',
  'ON CONFLICT DO NOTHING',
  'ON CONFLICT (id) DO NOTHING',
  'ON CONFLICT (id) DO UPDATE SET n = excluded.n, body = excluded.body',
  'ON CONFLICT (id) DO UPDATE SET n = items.n + excluded.n WHERE excluded.n > items.n',
];

const id = fc.constantFrom('a', 'B', 'b', 'Z', 'é', 'ß', '𝒳', '\uffee', '', '1', '10', '2', 'a b', "o'k", '?');
const room = fc.constantFrom('!x', '!y', '!Z');
// Sums stay within the safe integers: beyond them PostgreSQL's result is refused and SQLite's rounded.
const n = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -(2 ** 45), max: 2 ** 45 }));
const body = fc.option(fc.uint8Array({ maxLength: 5 }));
const row = fc.tuple(id, room, n, body).map((values): readonly SqlValue[] => values);

const step: fc.Arbitrary<NamedStep> = fc.oneof(
  fc.tuple(fc.array(row, { maxLength: 9 }), fc.constantFrom(...CONFLICTS)).map(([rows, onConflict]) =>
    named(`insert ${fc.stringify(rows)} ${onConflict}`, (tx) => tx.insertMany({ into: 'items', columns: COLUMNS, rows, onConflict }))),
  fc.tuple(id, n).map(([at, value]) => named(`set ${at} ${value}`, (tx) => tx.run('UPDATE items SET n = ? WHERE id > ?', [value, at]))),
  room.map((of) => named(`halve ${of}`, (tx) => tx.run('UPDATE items SET n = n / 2 WHERE room = ? AND n > 0', [of]))),
  id.map((at) => named(`delete ${at}`, (tx) => tx.run('DELETE FROM items WHERE id < ?', [at]))),
  fc.array(id, { maxLength: 6 }).map((ids) =>
    named(`find ${fc.stringify(ids)}`, (tx) => tx.queryIn('SELECT id, n, body FROM items WHERE id IN (??) ORDER BY id', [], ids))),
  room.map((of) => named(`count ${of}`, (tx) => tx.query('SELECT COUNT(*) AS n, MIN(id) AS first, MAX(n) AS most FROM items WHERE room = ?', [of]))),
  id.map((at) => named(`take ${at}`, (tx) => tx.query('DELETE FROM items WHERE id = ? RETURNING id, n', [at]))),
);

const transaction = fc.record({ steps: fc.array(step, { maxLength: 6 }), abort: fc.boolean() });

onPostgres('differential', (backend) => {
  test('equal transactions have equal effects', async () => {
    const both = [await openSqlite({ path: ':memory:' }), await backend.open()] as const;
    for (const database of both) {
      await database.transaction(async (tx) => {
        await tx.run('CREATE TABLE items (id TEXT NOT NULL PRIMARY KEY, room TEXT NOT NULL, n BIGINT NOT NULL, body BLOB)');
        await tx.run('CREATE UNIQUE INDEX items_body ON items (room, body)');
      });
    }
    const property = fc.asyncProperty(fc.array(transaction, { minLength: 1, maxLength: 6 }), async (transactions) => {
      const [onSqlite, onPostgresql] = await Promise.all(both.map((database) => play(database, transactions)));
      assert.deepEqual(onPostgresql, onSqlite);
    });
    await fc.assert(property, { numRuns: 150 });
    await both[0].close();
  });
});

/** Everything that can be seen of the transactions: each step's answer, how each transaction ended, the table at the end. */
async function play(database: Database, transactions: readonly { steps: readonly NamedStep[]; abort: boolean }[]): Promise<unknown[]> {
  await database.transaction((tx) => tx.run('DELETE FROM items'));
  const seen: unknown[] = [];
  for (const { steps, abort } of transactions) {
    const end = database.transaction(async (tx) => {
      for (const { step: run } of steps) seen.push(readable(await run(tx)));
      if (abort) throw new Error('abort');
    });
    seen.push(await end.then(() => 'committed', (error: Error & { kind?: string }) => error.kind ?? error.message));
  }
  return [...seen, readable(await database.query('SELECT id, room, n, body FROM items ORDER BY id'))];
}

function readable(answer: unknown): unknown {
  if (!Array.isArray(answer)) return answer;
  return (answer as SqlRow[]).map((found) =>
    Object.entries(found).map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value]));
}

function named(text: string, run: Step): NamedStep {
  return { text, step: run, [fc.toStringMethod]: () => text } as NamedStep;
}
