import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime, type ManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createCounterApplier } from '../../test/conformance/log/counter/applier.ts';
import { counterMigrations, encodeJson, type CounterOutput } from '../../test/conformance/log/counter/records.ts';
import type { Applied, OutputEnvelope } from '../../schemas/log/envelope.ts';
import { StorageError, type Database } from '../storage/database.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import type { Applier } from './applier.ts';
import { appliedCodec, envelopeCodec } from './codec.ts';
import type { LogDriver, Pack } from './log.ts';
import { outboxReader, trimOutbox, writeOutbox } from './outbox.ts';
import { createOutputConsumer, type OutputConsumer } from './output-consumer.ts';
import { logMigrations } from './tables.ts';

interface Stand {
  readonly runtime: ManualRuntime;
  readonly database: Database;
  readonly consumer: OutputConsumer;
  /** Sizes of the transactions that applied something. */
  readonly batches: readonly number[];
  /** What others were told. */
  readonly signals: readonly Applied[];
  produce(partition: number, sequence: number, key?: string): Promise<Uint8Array>;
  deliver(partition: number, offset: number, records: readonly Uint8Array[]): Promise<void>;
  total(key: string): Promise<number>;
  sequenceOf(partition: number): Promise<number | undefined>;
}

async function stand(t: TestContext, options: { before?: number; batchRecordsMax?: number; isIdle?: (keys: readonly string[]) => boolean } = {}): Promise<Stand> {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, 'counter', counterMigrations, 0);
  const subscribers = new Map<number, (packs: readonly Pack[]) => Promise<void>>();
  const driver: LogDriver = {
    name: 'simulated', transportId: 'test',
    append: async () => undefined,
    subscribe: async (_log, partition, _from, deliver) => {
      subscribers.set(partition, deliver);
      return { close: async () => undefined };
    },
    head: async () => 0,
    signal: (_channel, value) => void signals.push(appliedCodec.decode(value)),
    listen: async () => ({ close: async () => undefined }),
    health: () => undefined,
    close: async () => undefined,
  };
  const signals: Applied[] = [];
  const batches: number[] = [];
  const counting = createCounterApplier();
  const applier: Applier<CounterOutput> = {
    ...counting,
    apply: (tx, records) => {
      if (records.some(({ output }) => output.key === 'poison')) throw new StorageError('bug', 'a rule is broken');
      batches.push(records.length);
      return counting.apply(tx, records);
    },
    ...(options.isIdle !== undefined && { isIdle: (records) => options.isIdle!(records.map(({ output }) => output.key)) }),
  };
  const produce = async (partition: number, sequence: number, key = 'a'): Promise<Uint8Array> => {
    const envelope: OutputEnvelope = { sequence, epoch: 1, record: encodeJson({ inputId: `${partition}:${sequence}`, key, by: 1, value: sequence } satisfies CounterOutput) };
    await database.transaction((tx) => writeOutbox(tx, 'room-output', [{ partition, envelope }]));
    return envelopeCodec.encode(envelope);
  };
  for (let sequence = 1; sequence <= (options.before ?? 0); sequence += 1) await produce(0, sequence);
  const consumer = createOutputConsumer({
    consumer: 'sums', log: 'room-output', applier, database, driver, outbox: outboxReader(database, 'room-output', 'counter'), runtime, partitions: 2, exclusive: true,
    batchRecordsMax: options.batchRecordsMax ?? 100,
  });
  await consumer.start();
  t.after(async () => {
    const stopped = consumer.stop();
    await runtime.advance(5000);
    await stopped;
    await database.close();
  });
  return {
    runtime, database, consumer, batches, signals, produce,
    deliver: async (partition, offset, records) => subscribers.get(partition)!([{ offset, records }]),
    async total(key) {
      return (await database.query<{ total: number }>('SELECT total FROM sums WHERE name = ?', [key]))[0]?.total ?? 0;
    },
    async sequenceOf(partition) {
      return (await database.query<{ sequence: number }>('SELECT sequence FROM positions WHERE consumer = ? AND partition = ?', ['sums.room-output', partition]))[0]?.sequence;
    },
  };
}

test('what is far behind is caught up in small batches, whatever is delivered meanwhile', async (t) => {
  const { runtime, produce, deliver, batches, total } = await stand(t, { before: 1000 });
  const live: Promise<void>[] = [];
  for (let sequence = 1001; sequence <= 1005; sequence += 1) live.push(deliver(0, sequence, [await produce(0, sequence)]));
  await runtime.advance(3000);
  await Promise.all(live);
  assert.equal(await total('a'), 1005);
  assert.ok(Math.max(...batches) <= 200, `batches of ${batches.join(', ')}`);
});

test('a batch is told in one signal, whose first partition and all others go on from where they were', async (t) => {
  const { runtime, produce, deliver, signals } = await stand(t);
  const [first, second, third] = [await produce(0, 1), await produce(1, 1), await produce(1, 2)];
  await Promise.all([deliver(0, 1, [first]), deliver(1, 1, [second, third])]);
  await runtime.advance(1000);
  assert.equal(signals.length, 1);
  const { log, partition, sequence, after, more } = signals[0]!;
  assert.deepEqual([log, partition, sequence, after], ['room-output', 0, 1, 0]);
  assert.deepEqual(more?.map((one) => [one.partition, one.sequence, one.after]), [[1, 2, 0]]);
});

test('what is no record of the log holds nothing up', async (t) => {
  const { runtime, produce, deliver, total, consumer } = await stand(t);
  await deliver(0, 1, [Buffer.from('from a console')]);
  await deliver(0, 2, [await produce(0, 1)]);
  await runtime.advance(1000);
  assert.equal(await total('a'), 1);
  assert.equal(consumer.health(), undefined);
});

test('a record that breaks a rule holds up its own partition only, and says so', async (t) => {
  const { runtime, produce, deliver, total, consumer, sequenceOf } = await stand(t);
  const bad = await produce(0, 1, 'poison');
  const good = await produce(1, 1, 'b');
  await Promise.all([deliver(0, 1, [bad]), deliver(1, 1, [good])]);
  await runtime.advance(1000);
  assert.equal(await total('b'), 1);
  for (let sequence = 2; sequence <= 20; sequence += 1) {
    await deliver(1, sequence, [await produce(1, sequence, 'b')]);
    await runtime.advance(200);
  }
  assert.equal(await total('b'), 20);
  assert.equal(await sequenceOf(0), 0);
  assert.match(consumer.health() ?? '', /does not advance: a rule is broken/);
});

test('records trimmed away while they are read are missed, not skipped', async (t) => {
  const { database, produce } = await stand(t);
  for (let sequence = 1; sequence <= 20; sequence += 1) await produce(1, sequence);
  let queries = 0;
  const slow: Database = {
    ...database,
    query: async (sql, params) => {
      queries += 1;
      if (queries === 2) await trimOutbox(database, 'room-output', [0, 20], { passed: [], keep: 5, keepMax: 5 });
      return database.query(sql, params);
    },
  };
  const { envelopes, trimmedTo } = await outboxReader(slow, 'room-output', 'counter').read(1, 0, 100);
  assert.ok(trimmedTo > 0 || envelopes[0]!.sequence === 1, `from ${envelopes[0]!.sequence}, trimmed to ${trimmedTo}`);
});

test('after records without effects the next ones are let come, as after others', async (t) => {
  const looks: number[] = [];
  const { runtime, produce, deliver } = await stand(t, { isIdle: (keys) => looks.push(keys.length) > 0 });
  await runtime.advance(2100);
  const records: Uint8Array[] = [];
  for (let sequence = 1; sequence <= 6; sequence += 1) records.push(await produce(0, sequence, 'nothing'));
  await deliver(0, 1, records.slice(0, 4));
  await runtime.settle();
  await deliver(0, 2, records.slice(4, 5));
  await runtime.settle();
  await deliver(0, 3, records.slice(5));
  await runtime.settle();
  assert.deepEqual(looks, [4]);
  await runtime.advance(15);
  assert.deepEqual(looks, [4, 2]);
});

test('records without effects cost no transaction; that they are through is saved a little later, and with the next that has effects', async (t) => {
  const { runtime, produce, deliver, batches, sequenceOf, consumer, total } = await stand(t, { isIdle: (keys) => keys.every((key) => key === 'nothing') });
  await runtime.advance(2100);
  for (let sequence = 1; sequence <= 3; sequence += 1) {
    await deliver(0, sequence, [await produce(0, sequence, 'nothing')]);
    await runtime.settle();
  }
  assert.deepEqual([batches, await sequenceOf(0)], [[], 0]);
  await runtime.advance(4100);
  assert.deepEqual([batches, await sequenceOf(0)], [[], 3], 'an outbox is not kept for who is through');
  await deliver(0, 4, [await produce(0, 4, 'nothing')]);
  await deliver(1, 1, [await produce(1, 1, 'nothing')]);
  await runtime.settle();
  await deliver(0, 5, [await produce(0, 5, 'b')]);
  await runtime.advance(15);
  assert.deepEqual([await sequenceOf(0), await sequenceOf(1), await total('b')], [5, 0, 1]);
  await deliver(0, 6, [await produce(0, 6, 'nothing')]);
  await runtime.advance(15);
  const stopped = consumer.stop();
  await runtime.advance(100);
  await stopped;
  assert.deepEqual([await sequenceOf(0), await sequenceOf(1)], [6, 1], 'the next owner starts where this one was');
});
