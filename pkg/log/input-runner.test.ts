import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime, type ManualRuntime } from '../../test/kit/manual-runtime.ts';
import { holdTransaction } from '../../test/kit/late-commit.ts';
import { createCounterProcessor } from '../../test/conformance/log/counter/processor.ts';
import { counterMigrations, encodeJson, type CounterInput } from '../../test/conformance/log/counter/records.ts';
import type { Outcome } from '../../schemas/log/envelope.ts';
import { StorageError, type Database, type Transaction } from '../storage/database.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { outcomesCodec } from './codec.ts';
import { createEmbeddedDriver } from './embedded/driver.ts';
import { createGate } from './gate.ts';
import { createInputRunner, type InputRunner } from './input-runner.ts';
import type { LogDriver } from './log.ts';
import { outboxReader } from './outbox.ts';
import { logMigrations } from './tables.ts';

interface Stand {
  readonly runtime: ManualRuntime;
  readonly database: Database;
  readonly runner: InputRunner;
  send(inputId: string, change?: Partial<CounterInput>): Promise<void>;
  /** Outcomes sent to `me`. */
  readonly answers: readonly Outcome[];
  /** The next transaction of the runner is this one's affair. */
  intercept(next: (work: (tx: Transaction) => Promise<unknown>) => Promise<never>): void;
}

async function stand(t: TestContext, options: { exclusive?: boolean; beforeClose?: () => Promise<void> } = {}): Promise<Stand> {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, 'counter', counterMigrations, 0);
  const embedded = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  const driver: LogDriver = {
    ...embedded,
    async subscribe(log, partition, from, deliver) {
      const subscription = await embedded.subscribe(log, partition, from, deliver);
      return { close: async () => (await options.beforeClose?.(), subscription.close()) };
    },
  };
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
    reuseSpace: (table) => database.reuseSpace(table),
    ping: () => database.ping(),
    close: () => database.close(),
  };
  const runner = createInputRunner({
    consumer: 'counter', inputLog: 'room-input', outputLog: 'room-output', processor: createCounterProcessor(seen), database: seen, driver, runtime, partitions: 1, exclusive: options.exclusive ?? true,
  });
  const answers: Outcome[] = [];
  await driver.listen('me', (value) => void answers.push(...outcomesCodec.decode(value).outcomes));
  await runner.start();
  t.after(async () => {
    const stopped = runner.stop();
    await runtime.advance(1000);
    await stopped;
    await driver.close();
    await database.close();
  });
  return {
    runtime, database, runner, answers,
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

test('a partition that comes back while its old subscription is slow to close loses no input', async (t) => {
  const gate = createGate();
  let closes = 0;
  const { runtime, database, send } = await stand(t, { exclusive: false, beforeClose: () => ((closes += 1) === 1 ? gate.wait() : Promise.resolve()) });
  // Another instance takes the partition over, and gives it back.
  const take = (owner: string) => database.transaction(async (tx) => {
    await tx.run('UPDATE leases SET owner = ?, epoch = epoch + 1, expires_at = ?', [owner, owner === '' ? 0 : runtime.clock.now() + 60_000]);
    await tx.run('UPDATE positions SET epoch = epoch + 1');
  });
  await take('other');
  await send('one');
  assert.equal(closes, 1);
  await take('');
  await runtime.advance(1500);
  await send('two');
  gate.open();
  await runtime.advance(1000);
  assert.deepEqual(await database.query('SELECT input_id FROM remembered_inputs ORDER BY input_id'), [{ input_id: 'one' }, { input_id: 'two' }]);
});

test('who waits for an input that breaks a rule of the database is told so', async (t) => {
  const { runtime, send, answers, database } = await stand(t);
  await database.transaction((tx) => tx.run("INSERT INTO outbox (log, partition, sequence, epoch, record) VALUES ('room-output', 0, 1, 1, ?)", [new Uint8Array(1)]));
  await send('one', { replyTo: 'me' });
  await runtime.advance(1000);
  assert.equal((await database.query('SELECT reason FROM dead_letters')).length, 1);
  assert.deepEqual(answers.map(({ inputId, status }) => [inputId, status]), [['one', 500]]);
});
