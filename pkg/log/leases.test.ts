import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { createLeaseKeeper, type LeaseKeeper } from './leases.ts';
import { logMigrations } from './tables.ts';

const PARTITIONS = 4;

async function stand(t: TestContext) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  t.after(() => database.close());
  const keeper = (instanceId: string, exclusive: boolean, taken: number[] = []): LeaseKeeper => createLeaseKeeper({
    consumer: 'owner', database, runtime: { ...runtime, instanceId }, partitions: PARTITIONS, exclusive,
    acquired: async ({ partition }) => void taken.push(partition),
    revoked: async () => undefined,
  });
  return { runtime, keeper };
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

test('instances share, and what one gives back the other takes', async (t) => {
  const { runtime, keeper } = await stand(t);
  const [one, other] = [keeper('one', false), keeper('other', false)];
  await one.start();
  await other.start();
  await runtime.advance(4000);
  assert.deepEqual([one.held().length, other.held().length], [2, 2]);
  await other.stop();
  await runtime.advance(2000);
  assert.equal(one.held().length, PARTITIONS);
});
