import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { StorageError, type Database } from '../storage/database.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { createLocalSignals } from './local-signals.ts';
import { createLeaseKeeper, type LeaseKeeper } from './leases.ts';
import { logMigrations } from './tables.ts';

const PARTITIONS = 4;

async function stand(t: TestContext, { signalsLost = false } = {}) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  t.after(() => database.close());
  const signals = createLocalSignals(runtime);
  const driver = { signal: (channel: string, value: Uint8Array) => (signalsLost ? undefined : signals.send(channel, value)), listen: async (...args: Parameters<typeof signals.listen>) => signals.listen(...args) };
  const common = { consumer: 'owner', database, driver, partitions: PARTITIONS, revoked: async () => undefined };
  const keeper = (instanceId: string, exclusive: boolean, taken: number[] = []): LeaseKeeper => createLeaseKeeper({
    ...common, runtime: { ...runtime, instanceId }, exclusive, acquired: async ({ partition }) => void taken.push(partition),
  });
  /** Takes what it gets and is never heard of again. */
  const killed = (): Promise<void> => {
    const clock = { ...runtime.clock, sleep: () => new Promise<void>(() => undefined) };
    return createLeaseKeeper({ ...common, runtime: { ...runtime, clock, instanceId: 'killed' }, exclusive: false, acquired: async () => undefined }).start();
  };
  /** Of an instance that starts while the database is away. */
  const early = (untilMs: number): LeaseKeeper => {
    const away: Pick<Database, 'transaction'> = {
      transaction: (work) => (runtime.clock.monotonic() < untilMs ? Promise.reject(new StorageError('unavailable', 'too many at once')) : database.transaction(work)),
    };
    return createLeaseKeeper({ ...common, database: { ...database, ...away }, runtime: { ...runtime, instanceId: 'early' }, exclusive: false, acquired: async () => undefined });
  };
  return { runtime, database, keeper, killed, early };
}

test('what a process on the embedded log held when it was killed goes to the processes that share the database after it', async (t) => {
  const { runtime, keeper } = await stand(t);
  await keeper('killed', true).start();
  const next = keeper('next', false);
  await next.start();
  await runtime.advance(5000);
  assert.equal(next.held().length, PARTITIONS);
});

test('of two processes on the embedded log the newer one keeps the partitions, and the older one says that it has none', async (t) => {
  const { runtime, keeper } = await stand(t);
  const takenByOlder: number[] = [];
  const older = keeper('older', true, takenByOlder);
  await older.start();
  const newer = keeper('newer', true);
  await newer.start();
  for (let minute = 0; minute < 3; minute += 1) await runtime.advance(60_000);
  assert.equal(newer.held().length, PARTITIONS);
  assert.equal(newer.health(), undefined);
  assert.equal(takenByOlder.length, PARTITIONS, 'each once');
  assert.match(older.health() ?? '', /another process/);
  // The newer one ends in order: what it gives back is taken up.
  await newer.stop();
  await runtime.advance(2000);
  assert.equal(older.held().length, PARTITIONS);
  assert.equal(older.health(), undefined);
});

test('instances share, and what one gives back the other takes, at once', async (t) => {
  const { runtime, keeper } = await stand(t);
  const [one, other] = [keeper('one', false), keeper('other', false)];
  await one.start();
  await other.start();
  await runtime.advance(10);
  assert.deepEqual([one.held().length, other.held().length], [2, 2]);
  await other.stop();
  await runtime.advance(10);
  assert.equal(one.held().length, PARTITIONS);
});

test('without signals they share within seconds', async (t) => {
  const { runtime, keeper } = await stand(t, { signalsLost: true });
  const [one, other] = [keeper('one', false), keeper('other', false)];
  await one.start();
  await other.start();
  await runtime.advance(2100);
  assert.deepEqual([one.held().length, other.held().length], [2, 2]);
  await other.stop();
  await runtime.advance(1100);
  assert.equal(one.held().length, PARTITIONS);
});

test('what a killed instance held is taken as soon as its leases have run out', async (t) => {
  const { runtime, keeper, killed } = await stand(t);
  await killed();
  await runtime.advance(500);
  const next = keeper('next', false);
  await next.start();
  await runtime.advance(3480);
  assert.equal(next.held().length, 0);
  await runtime.advance(60);
  assert.equal(next.held().length, PARTITIONS);
});

test('an instance that starts while the database is away has its share when that is back', async (t) => {
  const { runtime, early } = await stand(t);
  const keeper = early(runtime.clock.monotonic() + 2500);
  await keeper.start();
  assert.deepEqual([keeper.held().length, keeper.health()], [0, undefined]);
  await runtime.advance(2400);
  assert.equal(keeper.held().length, 0);
  await runtime.advance(1000);
  assert.equal(keeper.held().length, PARTITIONS);
});

test('an instance that is gone is no longer counted, and its row goes a minute later', async (t) => {
  const { runtime, database, keeper, killed } = await stand(t);
  await killed();
  await keeper('next', false).start();
  const rows = async () => (await database.query<{ instance: string }>('SELECT instance FROM instances ORDER BY instance')).map(({ instance }) => instance);
  await runtime.advance(30_000);
  assert.deepEqual(await rows(), ['killed', 'next']);
  await runtime.advance(40_000);
  assert.deepEqual(await rows(), ['next']);
});
