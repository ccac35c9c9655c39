import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../storage/database.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { DELETE_ROWS_MAX, outboxReader, trimOutbox, writeOutbox } from './outbox.ts';
import { forgetOldInputs, REMEMBERED_MS_MIN } from './remembered-inputs.ts';
import { logMigrations } from './tables.ts';

async function open(): Promise<Database> {
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  return database;
}

test('the outbox is trimmed in small steps, down to what the slowest reader has passed', async () => {
  const database = await open();
  const record = new Uint8Array(1);
  const rows = Array.from({ length: 2600 }, (_, index) => ({ partition: 1, envelope: { sequence: index + 1, epoch: 1, record } }));
  await database.transaction((tx) => writeOutbox(tx, 'room-output', rows));
  const left: number[] = [];
  const rest = async (): Promise<void> => void left.push((await database.query<{ n: number }>('SELECT count(*) AS n FROM outbox'))[0]!.n);
  await trimOutbox(database, 'room-output', [0, 2600], { passed: [[0, 2600], [0, 2500]], keep: 10, keepMax: 10_000, rest });
  assert.deepEqual(left, [2600 - DELETE_ROWS_MAX, 2600 - 2 * DELETE_ROWS_MAX, 100]);
  const { envelopes, trimmedTo } = await outboxReader(database, 'room-output', 'owner').read(1, 0, 1);
  assert.deepEqual([envelopes[0]?.sequence, trimmedTo], [2501, 2500]);
  await database.close();
});

test('old outcomes are forgotten in small steps, young ones are not', async () => {
  const database = await open();
  const nowMs = 10 * REMEMBERED_MS_MIN;
  const rows = Array.from({ length: 2100 }, (_, index) => ['owner', `input ${index}`, 0, new Uint8Array(0), index < 2050 ? 1 : nowMs]);
  await database.transaction((tx) => tx.insertMany({ into: 'remembered_inputs', columns: ['consumer', 'input_id', 'partition', 'outcome', 'remembered_at'], rows }));
  let steps = 0;
  await forgetOldInputs(database, 'owner', nowMs, async () => void (steps += 1));
  assert.equal(steps, 3);
  assert.deepEqual(await database.query('SELECT count(*) AS n FROM remembered_inputs'), [{ n: 50 }]);
  await database.close();
});
