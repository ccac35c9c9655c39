import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime, type ManualRuntime } from '../../test/kit/manual-runtime.ts';
import { holdTransaction } from '../../test/kit/late-commit.ts';
import { createCounterProcessor } from '../../test/conformance/log/counter/processor.ts';
import { counterMigrations, encodeJson, type CounterInput } from '../../test/conformance/log/counter/records.ts';
import { StorageError, type Database, type Transaction } from '../storage/database.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { createEmbeddedDriver } from './embedded/driver.ts';
import { createInputRunner, type InputRunner } from './input-runner.ts';
import { outboxReader } from './outbox.ts';
import { logMigrations } from './tables.ts';

interface Stand {
  readonly runtime: ManualRuntime;
  readonly database: Database;
  readonly runner: InputRunner;
  send(inputId: string, change?: Partial<CounterInput>): Promise<void>;
  /** The next transaction of the runner is this one's affair. */
  intercept(next: (work: (tx: Transaction) => Promise<unknown>) => Promise<never>): void;
}

async function stand(t: TestContext): Promise<Stand> {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, 'counter', counterMigrations, 0);
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  let next: ((work: (tx: Transaction) => Promise<unknown>) => Promise<never>) | undefined;
  const seen: Database = {
    dialect: 'sqlite',
    query: (sql, params) => database.query(sql, params),
    queryIn: (sql, params, values) => database.queryIn(sql, params, values),
    transaction: (work) => {
      const mine = next;
      next = undefined;
      return mine === undefined ? database.transaction(work) : mine(work);
    },
    ping: () => database.ping(),
    close: () => database.close(),
  };
  const runner = createInputRunner({
    consumer: 'counter', inputLog: 'room-input', outputLog: 'room-output', processor: createCounterProcessor(seen), database: seen, driver, runtime, partitions: 1, exclusive: true,
  });
  await runner.start();
  t.after(async () => {
    const stopped = runner.stop();
    await runtime.advance(1000);
    await stopped;
    await driver.close();
    await database.close();
  });
  return {
    runtime, database, runner,
    async send(inputId, change = {}) {
      const input: CounterInput = { inputId, replyTo: '', deadlineMs: 0, traceId: '', key: 'a', by: 1, kind: 'add', ...change };
      await driver.append('room-input', 0, [encodeJson(input)], { durable: false });
      await runtime.settle();
    },
    intercept: (how) => void (next = how),
  };
}

const lost = (): never => {
  throw new StorageError('unknown-commit', 'the answer to COMMIT did not come');
};

test('a COMMIT that lands after the tables were looked at again is found, and nothing is numbered twice', async (t) => {
  const { runtime, database, runner, send, intercept } = await stand(t);
  let land: (() => Promise<void>) | undefined;
  intercept(async (work) => {
    land = await holdTransaction(database, work);
    return lost();
  });
  await send('one');
  assert.ok(land);
  // The runner has read its old position by now and waits to try again.
  await land();
  await runtime.advance(5000);
  await send('two');
  await runtime.advance(5000);
  const { envelopes } = await outboxReader(database, 'room-output', 'counter').read(0, 0, 10);
  assert.deepEqual(envelopes.map(({ sequence }) => sequence), [1, 2]);
  assert.deepEqual(await database.query('SELECT name, value FROM counters'), [{ name: 'a', value: 2 }]);
  assert.deepEqual(await database.query('SELECT reason FROM dead_letters'), []);
  assert.equal(runner.health(), undefined);
});
