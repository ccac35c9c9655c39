/** Stages that end on the disk: the log of one process, and a component's tables. SQLite in WAL mode with synchronous=FULL. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { createEmbeddedDriver } from '../../pkg/log/embedded/driver.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { quietRuntime } from '../../test/conformance/log/harness.ts';
import type { Stage, Work } from './stage.ts';

const RECORD = Buffer.alloc(1000, 'x');
const TABLE = 'CREATE TABLE things (id BIGINT PRIMARY KEY, room_id TEXT NOT NULL, json BLOB NOT NULL)';
const ROOM_ID = '!room:one.test';
const KEPT_MAX = 20_000;

export async function onDiskStages(): Promise<Stage[]> {
  return [await appendStage(1, 50), await appendStage(64, 1280), await batchStage(1, 50), await batchStage(64, 1280)];
}

function atOnce(batch: number): string {
  return batch === 1 ? 'one at a time' : `${batch} at once`;
}

async function appendStage(batch: number, events: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-stages-'));
  const database = await openSqlite({ path: join(folder, 'log.db') });
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime: quietRuntime(), lanePacksMax: Infinity, laneBytesMax: Infinity });
  const records = Array.from({ length: batch }, () => RECORD);
  return {
    name: `log append, ${atOnce(batch)}`, events,
    ours: {
      what: 'durable records of 1 kB into the log of one process',
      async run(count) {
        for (let done = 0; done < count; done += batch) await driver.append('room-input', 0, records);
      },
    },
    floor: appendToFile(join(folder, 'floor'), batch),
    async close() {
      await driver.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function appendToFile(path: string, batch: number): Work {
  const bytes = Buffer.concat(Array.from({ length: batch }, () => RECORD));
  return {
    what: 'the same bytes appended to a file, `fdatasync`',
    run(count) {
      const file = openSync(path, 'a');
      for (let done = 0; done < count; done += batch) {
        writeSync(file, bytes);
        fdatasyncSync(file);
      }
      closeSync(file);
    },
  };
}

async function batchStage(batch: number, events: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-stages-'));
  const database = await openSqlite({ path: join(folder, 'ours.db') });
  await database.transaction((tx) => tx.run(TABLE));
  const raw = new Sqlite(join(folder, 'floor.db'));
  raw.pragma('journal_mode = WAL');
  raw.pragma('synchronous = FULL');
  raw.exec(TABLE);
  const insert = raw.prepare('INSERT INTO things (id, room_id, json) VALUES (?, ?, ?)');
  const insertAll = raw.transaction((from: number) => {
    for (let id = from; id < from + batch; id += 1) insert.run(id, ROOM_ID, RECORD);
  });
  let [next, nextRaw] = [0, 0];
  return {
    name: `storage batch, ${atOnce(batch)}`, events,
    ours: {
      what: 'rows of 1 kB in a transaction of the storage port',
      async run(count) {
        for (let done = 0; done < count; done += batch, next += batch) {
          const rows = Array.from({ length: batch }, (_, index) => [next + index, ROOM_ID, RECORD]);
          await database.transaction((tx) => tx.insertMany({ into: 'things', columns: ['id', 'room_id', 'json'], rows }));
        }
        if (next > KEPT_MAX) await database.transaction((tx) => tx.run('DELETE FROM things'));
      },
    },
    floor: {
      what: 'the same rows by a prepared statement of better-sqlite3 in a transaction',
      run(count) {
        for (let done = 0; done < count; done += batch, nextRaw += batch) insertAll(nextRaw);
        if (nextRaw > KEPT_MAX) raw.exec('DELETE FROM things');
      },
    },
    async close() {
      raw.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
