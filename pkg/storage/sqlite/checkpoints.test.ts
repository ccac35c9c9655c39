/** A long write-ahead log is moved into its database by a thread, and begins anew. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database.ts';
import { logState } from './checkpoint.ts';
import { connect, type Connection } from './connection.ts';
import { openSqlite } from './open.ts';

const LONG_PAGES = 4096;
const ROWS = 100;
const ROW = new Uint8Array(16_000);
/** Of about 400 pages each: together more than the thread waits for, and much less than what the writing connection moves by itself. */
const TRANSACTIONS = 16;

let folder: string;
let file: string;
let database: Database;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'myelin-checkpoints-'));
  file = join(folder, 'some.db');
  database = await openSqlite({ path: file });
  await database.transaction((tx) => tx.run('CREATE TABLE things (number BIGINT PRIMARY KEY, bytes BLOB NOT NULL)'));
});

afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a long log is moved while nobody asks for it, and the next transaction begins it anew', async () => {
  const looker = connect(file, { busyTimeoutMs: 0, pragmas: ['query_only = ON'] });
  try {
    await fill();
    await untilMoved(looker);
    await database.transaction((tx) => tx.insertMany({ into: 'things', columns: ['number', 'bytes'], rows: [[-1, ROW]] }));
    assert.ok(logState(looker).pages < LONG_PAGES / 8, `${logState(looker).pages} pages are in the log`);
    assert.equal(await count(database), TRANSACTIONS * ROWS + 1);
  } finally {
    looker.close();
  }
});

test('a reader of an older state keeps what it reads, and the log is moved when it is through', async () => {
  const reader = connect(file, { busyTimeoutMs: 0, pragmas: [] });
  try {
    reader.control('BEGIN');
    const before = reader.all<{ n: number }>('SELECT COUNT(*) AS n FROM things', []);
    await fill();
    assert.deepEqual(reader.all('SELECT COUNT(*) AS n FROM things', []), before);
    reader.control('COMMIT');
    await untilMoved(reader);
  } finally {
    reader.close();
  }
});

test('a database that is closed while its log is moved leaves one file, with all in it', async () => {
  await fill();
  await database.close();
  assert.equal(existsSync(`${file}-wal`), false);
  database = await openSqlite({ path: file });
  assert.equal(await count(database), TRANSACTIONS * ROWS);
});

async function fill(): Promise<void> {
  for (let number = 0; number < TRANSACTIONS; number += 1) {
    const rows = Array.from({ length: ROWS }, (_, index) => [number * ROWS + index, ROW] as const);
    await database.transaction((tx) => tx.insertMany({ into: 'things', columns: ['number', 'bytes'], rows }));
  }
}

async function untilMoved(looker: Connection): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const { pages, moved } = logState(looker);
    if (pages === moved) return;
    await sleep(10);
  }
  assert.fail(`of the log, ${JSON.stringify(logState(looker))} is moved`);
}

async function count(of: Database): Promise<number> {
  const [row] = await of.query<{ n: number }>('SELECT COUNT(*) AS n FROM things');
  return row!.n;
}
