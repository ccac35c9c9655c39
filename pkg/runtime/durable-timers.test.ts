import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { StorageError, type Database, type Transaction } from '../storage/database.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { createDurableTimers, timerMigrations, type DurableTimer } from './durable-timers.ts';

const databases: Database[] = [];
after(() => Promise.all(databases.map((database) => database.close())));

type Fire = (tx: Transaction, timer: DurableTimer) => Promise<void>;

async function setUp(more: { fire?: Fire; batch?: number } = {}) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  databases.push(database);
  await migrate(database, 'timers', timerMigrations, runtime.clock.now());
  const fired: string[] = [];
  const state = { partitions: [1, 2], fenced: new Set<number>(), fenceError: new Error('not ours') };
  const timers = createDurableTimers({
    database, runtime, batch: more.batch,
    partitions: () => state.partitions,
    fence: (_tx, partition) => (state.fenced.has(partition) ? Promise.reject(state.fenceError) : Promise.resolve()),
    fire: async (tx, timer) => {
      await more.fire?.(tx, timer);
      fired.push(timer.key);
    },
  });
  const startMs = runtime.clock.now();
  const timer = (key: string, inMs: number, partition = 1): DurableTimer =>
    ({ partition, kind: 'test', key, dueAt: startMs + inMs, payload: new TextEncoder().encode(key) });
  const set = (...args: Parameters<typeof timer>) => database.transaction((tx) => timers.set(tx, timer(...args)));
  const left = async () => (await database.query<{ key: string }>('SELECT key FROM timers ORDER BY key')).map((row) => row.key);
  return { runtime, database, timers, timer, set, fired, state, left };
}

test('timers fire at their time, in order, once, and are gone', async () => {
  const { runtime, timers, set, fired, left } = await setUp();
  timers.start();
  await set('late', 700);
  await set('early', 300);
  await set('other partition', 500, 2);
  await runtime.advance(299);
  assert.deepEqual(fired, []);
  await runtime.advance(2);
  assert.deepEqual(fired, ['early']);
  await runtime.advance(500);
  assert.deepEqual(fired, ['early', 'other partition', 'late']);
  await runtime.advance(60_000);
  assert.deepEqual([fired.length, await left()], [3, []]);
  await timers.stop();
});

test('timers that came due while nobody ran fire at the start', async () => {
  const { runtime, timers, set, fired } = await setUp();
  await set('b', 200);
  await set('a', 100);
  await runtime.advance(10_000);
  timers.start();
  await runtime.settle();
  assert.deepEqual(fired, ['a', 'b']);
  await timers.stop();
});

test('a timer moves when it is set again, and does not fire when cancelled', async () => {
  const { runtime, database, timers, set, timer, fired } = await setUp();
  timers.start();
  await set('moved', 100);
  await set('moved', 1000);
  await set('cancelled', 500);
  assert.equal(await database.transaction((tx) => timers.cancel(tx, timer('cancelled', 0))), true);
  assert.equal(await database.transaction((tx) => timers.cancel(tx, timer('cancelled', 0))), false);
  await runtime.advance(900);
  assert.deepEqual(fired, []);
  await runtime.advance(200);
  assert.deepEqual(fired, ['moved']);
  await timers.stop();
});

test('a timer whose transaction commits after it is due is not forgotten', async () => {
  const { runtime, database, timers, timer, fired } = await setUp();
  timers.start();
  await runtime.settle();
  await database.transaction(async (tx) => {
    await timers.set(tx, timer('slow commit', 10));
    void runtime.advance(50);
    for (let i = 0; i < 20; i += 1) await runtime.clock.yield();
  });
  await runtime.advance(600);
  assert.deepEqual(fired, ['slow commit']);
  await timers.stop();
});

test('a timer that cannot be fired is put off and does not hold up the others', async () => {
  let failures = 0;
  const { runtime, timers, set, fired, left } = await setUp({ fire: (_tx, timer) => {
    if (timer.key !== 'poison' || failures === 3) return Promise.resolve();
    failures += 1;
    return Promise.reject(new Error('bad payload'));
  } });
  await set('a', 1);
  await set('poison', 2);
  await set('z', 3);
  await runtime.advance(10);
  timers.start();
  await runtime.advance(500);
  assert.deepEqual([fired.filter((key) => key !== 'a'), await left()], [['z'], ['poison']]);
  assert.equal(runtime.lines.filter((line) => line.level === 'error').length, 1);
  await runtime.advance(6000);
  assert.deepEqual([fired.at(-1), await left()], ['poison', []]);
  await timers.stop();
});

test('nothing of a batch is written when one of its timers fails', async () => {
  const { runtime, database, timers, set } = await setUp({ fire: async (tx, timer) => {
    await tx.run('INSERT INTO effects (name) VALUES (?)', [timer.key]);
    if (timer.key === 'b') throw new Error('no');
  } });
  await database.transaction((tx) => tx.run('CREATE TABLE effects (name TEXT NOT NULL)'));
  await set('a', 0);
  await set('b', 0);
  timers.start();
  await runtime.advance(100);
  const effects = await database.query<{ name: string }>('SELECT name FROM effects ORDER BY name');
  assert.deepEqual(effects.map((row) => row.name), ['a'], 'a once, though its first batch failed; b not at all');
  await timers.stop();
});

test('a partition that is fenced or not ours is left alone', async () => {
  const { runtime, timers, set, fired, state, left } = await setUp();
  await set('fenced', 0, 1);
  await set('ours', 0, 2);
  await set('elsewhere', 0, 3);
  state.fenced.add(1);
  timers.start();
  await runtime.advance(1000);
  assert.deepEqual([fired, await left()], [['ours'], ['elsewhere', 'fenced']]);
  state.partitions = [2, 3];
  timers.nudge();
  await runtime.settle();
  assert.deepEqual(fired, ['ours', 'elsewhere']);
  assert.equal(runtime.lines.filter((line) => line.level === 'error').length, 0);
  await timers.stop();
});

test('a database that is away is tried again', async () => {
  const { runtime, timers, set, fired, state } = await setUp();
  await set('a', 0);
  state.fenceError = new StorageError('unavailable', 'gone');
  state.fenced.add(1);
  timers.start();
  await runtime.advance(1500);
  assert.deepEqual(fired, []);
  assert.ok(runtime.lines.some((line) => line.level === 'warn'));
  state.fenced.clear();
  await runtime.advance(1100);
  assert.deepEqual(fired, ['a']);
  await timers.stop();
});

test('a timer may set itself again, and cancel another of its batch', async () => {
  const world = await setUp({ fire: async (tx, due) => {
    if (due.key !== 'a') return;
    await world.timers.cancel(tx, world.timer('b', 0));
    await world.timers.set(tx, { ...due, dueAt: due.dueAt + 1000 });
  } });
  const { runtime, timers, set, fired } = world;
  await set('a', 0);
  await set('b', 1);
  await runtime.advance(5);
  timers.start();
  await runtime.advance(2500);
  assert.deepEqual(fired, ['a', 'a', 'a']);
  await timers.stop();
});

test('more timers than a batch holds all fire', async () => {
  const { runtime, timers, set, fired } = await setUp({ batch: 2 });
  for (let i = 0; i < 30; i += 1) await set(String(i).padStart(2, '0'), 0);
  timers.start();
  await runtime.advance(100);
  assert.equal(fired.length, 30);
  assert.equal(new Set(fired).size, 30);
  await timers.stop();
});
