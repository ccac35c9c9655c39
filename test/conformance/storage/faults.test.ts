import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../../pkg/storage/database.ts';
import { openPostgres } from '../../../pkg/storage/postgres/open.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { available, startPostgres, type RunningPostgres } from '../../kit/servers/postgres.ts';
import { gate, ofKind } from './backends.ts';
import { startSeveringProxy } from './severing-proxy.ts';
import { makeSmallDisk, whyNoSmallDisk } from './small-disk.ts';

const CREATE = 'CREATE TABLE kept (id BIGINT NOT NULL PRIMARY KEY, body BLOB)';

async function save(database: Database, id: number, bytes = 10): Promise<void> {
  await database.transaction((tx) => tx.run('INSERT INTO kept (id, body) VALUES (?, ?)', [id, Buffer.alloc(bytes, id)]));
}

async function kept(database: Database): Promise<number[]> {
  return (await database.query<{ id: number }>('SELECT id FROM kept ORDER BY id')).map((row) => row.id);
}

/** Saves rows until it fails; the number of rows that are acknowledged. */
async function saveUntilFull(database: Database, from: number, bytes: number): Promise<number> {
  for (let id = from; id < from + 10_000; id += 1) {
    try {
      await save(database, id, bytes);
    } catch (error) {
      ofKind('full')(error);
      return id - 1;
    }
  }
  throw new Error('the disk did not fill up');
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

describe('a full disk: sqlite file', { skip: whyNoSmallDisk() ?? false }, () => {
  test('is a clear error that loses nothing, and is over when there is room', async () => {
    const disk = makeSmallDisk(8);
    try {
      const database = await openSqlite({ path: join(disk.folder, 'small.db') });
      await database.transaction((tx) => tx.run(CREATE));
      disk.fill(1_000_000);
      const last = await saveUntilFull(database, 1, 20_000);
      assert.ok(last > 5, `${last} rows`);
      await assert.rejects(save(database, last + 1, 100_000), ofKind('full', /full/));
      assert.deepEqual(await kept(database), upTo(last));
      disk.free();
      await save(database, last + 1, 100_000);
      assert.deepEqual(await kept(database), upTo(last + 1));

      // Within one transaction: what came after the failure must not commit by itself.
      disk.fill(50_000);
      await assert.rejects(
        database.transaction(async (tx) => {
          const rows = upTo(200).map((id) => [id + 1_000, Buffer.alloc(20_000)]);
          await tx.insertMany({ into: 'kept', columns: ['id', 'body'], rows }).catch(() => undefined);
          await tx.run('INSERT INTO kept (id, body) VALUES (?, ?)', [5_000, null]);
        }),
        ofKind('full'),
      );
      assert.deepEqual(await kept(database), upTo(last + 1));
      disk.free();
      await database.close();
      const again = await openSqlite({ path: join(disk.folder, 'small.db') });
      assert.deepEqual(await kept(again), upTo(last + 1));
      await again.close();
    } finally {
      disk.remove();
    }
  });
});

describe('faults of the server: postgres', { skip: available() ?? false }, () => {
  let server: RunningPostgres;
  let opened: Database[] = [];
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(async () => {
    await Promise.all(opened.map((database) => database.close()));
    opened = [];
  });

  async function open(schema: string, url = server.url): Promise<Database> {
    const database = await openPostgres({ url, schema, poolSize: 4 });
    opened.push(database);
    await database.transaction((tx) => tx.run(CREATE));
    return database;
  }

  test('a killed server is unavailable; after its restart the database works by itself', async () => {
    const database = await open('killed');
    await Promise.all([1, 2, 3, 4, 5].map((id) => save(database, id)));
    const written = gate();
    const killed = gate();
    let pid = 0;
    const cutOff = database.transaction(async (tx) => {
      await tx.run('INSERT INTO kept (id) VALUES (99)');
      pid = (await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid ?? 0;
      written.open();
      await killed.opened;
      // The connection went while nobody used it: COMMIT is never sent.
    });
    const cutOffFails = assert.rejects(cutOff, ofKind('unavailable'));
    try {
      await written.opened;
      await server.kill();
      await untilGone(pid);
      // The server's other processes follow it within moments; until then they still answer.
      await untilSilent(database);
      await assert.rejects(save(database, 6), ofKind('unavailable'));
      await assert.rejects(openPostgres({ url: server.url, schema: 'killed' }), ofKind('unavailable'));
    } finally {
      killed.open();
      await server.restart();
    }
    await cutOffFails;
    await database.ping();
    await save(database, 6);
    assert.deepEqual(await kept(database), upTo(6));
  });

  test('an orderly restart under load loses no acknowledged row', async () => {
    const database = await open('restarted');
    const acknowledged: number[] = [];
    let running = true;
    const load = Promise.all([0, 1, 2, 3].map(async (worker) => {
      for (let id = worker + 1; running || id < 200; id += 4) {
        try {
          await save(database, id);
          acknowledged.push(id);
        } catch (error) {
          const { kind } = error as { kind?: string };
          assert.ok(kind === 'unavailable' || kind === 'unknown-commit', String(error));
          await sleep(20);
        }
      }
    }));
    await sleep(100);
    await server.restart();
    const before = acknowledged.length;
    while (acknowledged.length < before + 20) await sleep(10);
    running = false;
    await load;
    const found = new Set(await kept(database));
    assert.deepEqual(acknowledged.filter((id) => !found.has(id)), []);
  });

  test('a connection that is lost during COMMIT leaves it unknown, whether it was done or not', async () => {
    const proxy = await startSeveringProxy(server.url);
    try {
      const database = await open('severed', proxy.url);
      proxy.cutNextCommit('before');
      await assert.rejects(save(database, 1), ofKind('unknown-commit'));
      assert.deepEqual(await kept(database), []);
      proxy.cutNextCommit('after');
      await assert.rejects(save(database, 2), ofKind('unknown-commit'));
      assert.deepEqual(await kept(database), [2]);
      await save(database, 3);
    } finally {
      await Promise.all(opened.map((database) => database.close()));
      opened = [];
      await proxy.close();
    }
  });

  test('a statement that an administrator cancels, or a connection that he ends, leaves nothing behind', async () => {
    const database = await open('cancelled');
    const other = await openPostgres({ url: server.url, schema: 'cancelled' });
    opened.push(other);
    for (const [end, statement] of [['pg_terminate_backend', 'pg_sleep(10)'], ['pg_cancel_backend', 'pg_sleep(10)']] as const) {
      const pid = gate();
      let backend = 0;
      const slow = database.transaction(async (tx) => {
        await tx.run('INSERT INTO kept (id) VALUES (7)');
        backend = (await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid ?? 0;
        pid.open();
        await tx.query(`SELECT CAST(${statement} AS TEXT) AS slept`);
      });
      const slowFails = assert.rejects(slow, ofKind('unavailable'));
      await pid.opened;
      await sleep(30);
      await other.query(`SELECT ${end}(CAST(? AS INTEGER)) AS done`, [backend]);
      await slowFails;
      assert.deepEqual(await kept(database), []);
    }
    await save(database, 1);
    assert.deepEqual(await kept(database), [1]);
  });

  test('a full disk is a clear error that loses nothing, and is over when there is room', { skip: whyNoSmallDisk() ?? false }, async () => {
    const disk = makeSmallDisk(4);
    try {
      const folder = join(disk.folder, 'space');
      mkdirSync(folder);
      chownSync(folder, Number(execFileSync('id', ['-u', 'postgres'])), Number(execFileSync('id', ['-g', 'postgres'])));
      // A table space cannot be made inside a transaction block, so not through the port: psql's way is a plain connection.
      await plainly(server.url, `CREATE TABLESPACE small LOCATION '${folder}'`);
      const database = await open('full', `${server.url}?options=${encodeURIComponent('-c default_tablespace=small')}`);
      disk.fill(500_000);
      const last = await saveUntilFull(database, 1, 1_900);
      assert.ok(last > 5, `${last} rows`);
      disk.free();
      await save(database, last + 1, 1_900);
      assert.deepEqual(await kept(database), upTo(last + 1));
      await database.transaction((tx) => tx.run('DROP TABLE kept'));
      await plainly(server.url, 'DROP TABLESPACE small');
    } finally {
      disk.remove();
    }
  });
});

/** Waits until the process has ended and its socket's end has been seen here. */
async function untilGone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await sleep(5);
  await sleep(50);
}

async function untilSilent(database: Database): Promise<void> {
  for (let silent = 0; silent < 10; ) {
    silent = await database.ping().then(() => 0, () => silent + 1);
    await sleep(5);
  }
}

async function plainly(url: string, sql: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
