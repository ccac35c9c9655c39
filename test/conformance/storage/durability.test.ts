import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Database } from '../../../pkg/storage/database.ts';
import { ofKind, onPostgres, onSqlite, type Backend, type Place } from './backends.ts';

const PROGRAM = fileURLToPath(new URL('./commit-for-ever.ts', import.meta.url));
const PRAGMAS = 'SELECT (SELECT journal_mode FROM pragma_journal_mode) AS journal, (SELECT synchronous FROM pragma_synchronous) AS synchronous';

const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts the program at `place` and waits until it has said `lines` numbers; `said` goes on counting. */
async function startCommitting(place: Place, lines: number): Promise<{ child: ChildProcess; said(): number; ended: Promise<unknown> }> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(place)], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  const ended = once(child, 'close');
  let last = 0;
  const enough = Promise.withResolvers<void>();
  createInterface(child.stdout).on('line', (line) => {
    last = Number(line);
    if (last === lines) enough.resolve();
  });
  void ended.then(() => enough.reject(new Error('the child ended too early')));
  await enough.promise;
  return { child, said: () => last, ended };
}

function survivesKill(backend: Backend): void {
  test('what a killed process had committed is there, three times over', async () => {
    for (let round = 0; round < 3; round += 1) {
      const place = backend.place();
      const { child, said, ended } = await startCommitting(place, 60);
      child.kill('SIGKILL');
      await ended;
      const database = await backend.open(place);
      const rows = await database.query<{ id: number }>('SELECT id FROM kept ORDER BY id');
      assert.ok(rows.length === said() || rows.length === said() + 1, `${said()} were acknowledged, ${rows.length} are there`);
      assert.deepEqual(rows.map((row) => row.id), Array.from(rows, (_, index) => index + 1));
      assert.deepEqual(await database.transaction((tx) => tx.run('DELETE FROM kept')), { changes: rows.length });
    }
  });
}

onSqlite('durability', 'sqlite file', (backend) => {
  survivesKill(backend);

  test('a file belongs to one process, until that is killed', async () => {
    const place = backend.place();
    const { child, ended } = await startCommitting(place, 3);
    await assert.rejects(backend.open(place), ofKind('unavailable', /in use by another process/));
    child.kill('SIGKILL');
    await ended;
    const database = await backend.open(place);
    assert.ok((await database.query('SELECT id FROM kept')).length >= 3);
    await assert.rejects(backend.open(place), ofKind('unavailable', /in use/));
    await database.close();
    await (await backend.open(place)).ping();
  });

  test('the failed opener does not loosen the lock of the one that holds it', async () => {
    const place = backend.place();
    await backend.open(place);
    for (let attempt = 0; attempt < 3; attempt += 1) await assert.rejects(backend.open(place), ofKind('unavailable'));
    await assert.rejects(startCommitting(place, 1), /ended too early/);
  });

  test('commits are synced, and all files are the owner\'s only', async () => {
    const place = backend.place() as Extract<Place, { dialect: 'sqlite' }>;
    const database = await backend.open(place);
    await database.transaction(async (tx) => {
      await tx.run('CREATE TABLE t (id BIGINT)');
      assert.deepEqual(await tx.query(PRAGMAS), [{ journal: 'wal', synchronous: 2 }]);
    });
    for (const suffix of ['', '-wal', '-shm', '.lock']) assert.equal(statSync(place.path + suffix).mode & 0o777, 0o600, suffix);
  });

  test('a folder that does not exist is unavailable', async () => {
    await assert.rejects(backend.open({ dialect: 'sqlite', path: '/nowhere/at/all.db' }), ofKind('unavailable', /all\.db/));
  });
});

onPostgres('durability', (backend) => {
  survivesKill(backend);

  test('synchronous_commit is on', async () => {
    const database: Database = await backend.open({ ...backend.place(), ...withOptions(backend.place()) });
    assert.deepEqual(await database.query("SELECT current_setting('synchronous_commit') AS setting"), [{ setting: 'on' }]);
  });
});

/** A shared test server may run without it for speed; the connection asks for the default again. */
function withOptions(place: Place): Place {
  if (place.dialect !== 'postgres') return place;
  return { ...place, url: `${place.url}?options=${encodeURIComponent('-c synchronous_commit=on')}` };
}
