import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { logMigrations } from '../../../pkg/log/tables.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { clearBackoff, readBackoffs } from '../storage/destinations.ts';
import { federationapiMigrations } from '../storage/migrations.ts';
import { createBackoffWrites } from './backoff-writes.ts';
import { createSettle, type Settle } from './settle.ts';

const failing = (failures: number) => ({ failures, pauseMs: 1, pausedAtMs: 2, retryAtMs: 3, failingSinceMs: 4 });
const place = (name: string) => ({ name, partition: 1 });

async function stand(t: TestContext) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  t.after(() => database.close());
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  const counted = { commits: 0, fails: false };
  const settled = createSettle(database);
  const settle: Settle = (write) => {
    counted.commits += 1;
    return counted.fails ? Promise.reject(new Error('disk')) : settled(write);
  };
  const known = async (...names: string[]): Promise<Record<string, number>> => Object.fromEntries([...await readBackoffs(database, names)].map(([name, { failures }]) => [name, failures]));
  return { runtime, settled, counted, known, backoffs: createBackoffWrites(runtime, settle) };
}

test('what fails within seconds is written once, with what is known last', async (t) => {
  const { runtime, backoffs, counted, known } = await stand(t);
  backoffs.note(place('a'), failing(1));
  backoffs.note(place('b'), failing(1));
  backoffs.note(place('a'), failing(2));
  assert.deepEqual(await known('a', 'b'), {});
  await runtime.advance(2000);
  assert.deepEqual([await known('a', 'b'), counted.commits], [{ a: 2, b: 1 }, 1]);
  await runtime.advance(60_000);
  assert.equal(counted.commits, 1);
  backoffs.note(place('a'), failing(3));
  await backoffs.flush();
  assert.deepEqual(await known('a', 'b'), { a: 3, b: 1 });
});

test('a server that is reached again stays so, also when its failure was about to be written', async (t) => {
  const { backoffs, settled, known } = await stand(t);
  backoffs.note(place('a'), failing(1));
  backoffs.note(place('b'), failing(1));
  // Ahead of the write, as others that settle may be.
  const ahead = settled(async () => backoffs.forget('a'));
  await Promise.all([ahead, backoffs.flush()]);
  assert.deepEqual(await known('a', 'b'), { b: 1 });
  backoffs.note(place('a'), failing(1));
  const written = backoffs.flush();
  backoffs.forget('a');
  await Promise.all([written, settled((tx) => clearBackoff(tx, 'a', 9))]);
  assert.deepEqual(await known('a', 'b'), { b: 1 });
});

test('what could not be written is written later', async (t) => {
  const { runtime, backoffs, counted, known } = await stand(t);
  counted.fails = true;
  backoffs.note(place('a'), failing(1));
  await runtime.advance(2000);
  backoffs.note(place('a'), failing(2));
  counted.fails = false;
  await runtime.advance(2000);
  assert.deepEqual(await known('a'), { a: 2 });
});
