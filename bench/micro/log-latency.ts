/**
 * What the log costs: latency command -> outcome and throughput of the toy counters (owner and reader in one process) over each driver, and how quickly a
 * partition can be taken over. Durable settings everywhere: SQLite synchronous=FULL, PostgreSQL fsync and synchronous_commit, acks of all brokers.
 *
 *     node bench/micro/log-latency.ts [embedded] [nats] [kafka] [kafka-groups]
 *
 * One line of JSON a measurement. It starts and stops its own servers, one broker at a time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logLevel } from 'kafkajs';
import { createClient } from '../../pkg/log/kafka/client.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import { createCounterClient } from '../../test/conformance/log/counter/client.ts';
import { startCounter, type CounterSettings } from '../../test/conformance/log/counter/component.ts';
import { openLog, quietRuntime, type Address, type DriverName } from '../../test/conformance/log/harness.ts';
import { startKafka } from '../../test/kit/servers/kafka.ts';
import { startNats } from '../../test/kit/servers/nats.ts';
import { startPostgres } from '../../test/kit/servers/postgres.ts';

const PARTITIONS = 32;
const WARM_UP = 300;
const SAMPLES = 2000;
const MOVES = 30;
/** What is usual, and what FACTS found to be the quickest settings of a group. */
const GROUP = { sessionTimeout: 6000, heartbeatInterval: 300, maxWaitTimeInMs: 100, minBytes: 1 };

const wanted = process.argv.slice(2);
for (const name of ['embedded', 'nats', 'kafka', 'kafka-groups']) if (wanted.length === 0 || wanted.includes(name)) await measure(name);
process.exit(0);

async function measure(name: string): Promise<void> {
  if (name === 'embedded') {
    const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'));
    await measureCounters({ address: { driver: 'embedded', at: folder, prefix: '', partitions: PARTITIONS }, database: join(folder, 'counter.db') });
    rmSync(folder, { recursive: true, force: true });
    return;
  }
  const server = name === 'nats' ? await startNats() : await startKafka();
  const at = 'url' in server ? (server.url as string) : (server as unknown as { brokers: string[] }).brokers.join(',');
  const address: Address = { driver: name.replace('-groups', '') as DriverName, at, prefix: 'bench', partitions: PARTITIONS };
  if (name === 'kafka-groups') await measureGroups(address);
  else {
    await measureTakeOver(address);
    const postgres = await startPostgres();
    await measureCounters({ address, database: postgres.url });
    await postgres.stop();
  }
  await server.stop();
}

/** Command -> outcome with 1 and 64 clients. */
async function measureCounters(settings: CounterSettings): Promise<void> {
  const runtime = quietRuntime();
  const component = await startCounter(settings, runtime);
  const client = await createCounterClient({ driver: component.driver, runtime, partitionMap: { version: 1, partitions: PARTITIONS }, durable: false, retryMs: 5000 });
  let number = 0;
  const submit = async (): Promise<number> => {
    number += 1;
    const start = performance.now();
    await client.submit({ inputId: `i${number}`, kind: 'add', key: `key${number % 500}`, by: 1 });
    return performance.now() - start;
  };
  for (const clients of [1, 64]) {
    for (let i = 0; i < WARM_UP; i += 1) await submit();
    const samples: number[] = [];
    const cpu = process.cpuUsage();
    const start = performance.now();
    await Promise.all(Array.from({ length: clients }, async () => {
      while (samples.length < SAMPLES * (clients === 1 ? 1 : 5)) samples.push(await submit());
    }));
    const seconds = (performance.now() - start) / 1000;
    const used = process.cpuUsage(cpu);
    report(settings.address.driver, 'command -> outcome', { clients, ...spread(samples), perSecond: Math.round(samples.length / seconds), cpuMsEach: round((used.user + used.system) / 1000 / samples.length) });
  }
  await client.close();
  const idle = process.cpuUsage();
  await pause(3000);
  const idled = process.cpuUsage(idle);
  report(settings.address.driver, 'idle', { partitions: PARTITIONS, cpuPercent: round((idled.user + idled.system) / 1000 / 30) });
  await component.stop();
}

/** From `subscribe` to the first record, with the other partitions subscribed and idle. */
async function measureTakeOver(address: Address): Promise<void> {
  const { driver, close } = await openLog(address);
  for (let partition = 0; partition < PARTITIONS; partition += 1) await driver.append('room-input', partition, [Buffer.from('x')]);
  for (let partition = 1; partition < PARTITIONS; partition += 1) await driver.subscribe('room-input', partition, 0, async () => undefined);
  await pause(500);
  const samples: number[] = [];
  for (let i = 0; i < MOVES; i += 1) samples.push(await firstRecord(driver));
  report(address.driver, 'take-over of a partition', spread(samples));
  await close();
}

async function firstRecord(driver: LogDriver): Promise<number> {
  const start = performance.now();
  const arrived = await new Promise<number>((resolve, reject) => {
    driver.subscribe('room-input', 0, 0, async () => resolve(performance.now())).then((subscription) => setTimeout(() => void subscription.close(), 200), reject);
  });
  await pause(230 + Math.random() * 100);
  return arrived - start;
}

/** The way not taken: a private group, all partitions assigned, those without a lease paused, explicit seeks. */
async function measureGroups(address: Address): Promise<void> {
  const { driver, close } = await openLog(address);
  for (let partition = 0; partition < PARTITIONS; partition += 1) await driver.append('room-input', partition, [Buffer.from('x')]);
  const kafka = createClient(address.at.split(','), quietRuntime(), { logLevel: logLevel.NOTHING, retry: { retries: 5 } });
  const topic = `${address.prefix}.room-input`;
  const joins: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    const start = performance.now();
    const consumer = kafka.consumer({ ...GROUP, groupId: `private-${i}` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
      consumer.run({ autoCommit: false, eachBatch: async () => undefined }).catch(reject);
    });
    joins.push(performance.now() - start);
    await consumer.disconnect();
  }
  report('kafka-groups', 'connect and join a private group', spread(joins));

  let arrived: (() => void) | undefined;
  const consumer = kafka.consumer({ ...GROUP, groupId: 'private' });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise<void>((resolve) => { consumer.on(consumer.events.GROUP_JOIN, () => resolve()); });
  await consumer.run({
    autoCommit: false, partitionsConsumedConcurrently: 8,
    eachBatch: async ({ batch }) => { if (batch.partition === 0) arrived?.(); },
  });
  await joined;
  consumer.pause([{ topic, partitions: [0] }]);
  await pause(1000);
  const moves: number[] = [];
  for (let i = 0; i < MOVES; i += 1) {
    const start = performance.now();
    const first = new Promise<void>((resolve) => { arrived = resolve; });
    consumer.seek({ topic, partition: 0, offset: '0' });
    consumer.resume([{ topic, partitions: [0] }]);
    await first;
    moves.push(performance.now() - start);
    consumer.pause([{ topic, partitions: [0] }]);
    await pause(200 + Math.random() * 100);
  }
  report('kafka-groups', 'take-over of a partition (seek, resume)', spread(moves));

  /** Appends one after another, each waiting for its delivery: ms each. */
  const deliveries = async (): Promise<number[]> => {
    const latencies: number[] = [];
    for (let i = 0; i < 500; i += 1) {
      const start = performance.now();
      const first = new Promise<void>((resolve) => { arrived = resolve; });
      await driver.append('room-input', 0, [Buffer.from('x')]);
      await first;
      latencies.push(performance.now() - start);
    }
    return latencies;
  };
  consumer.seek({ topic, partition: 0, offset: String(await driver.head('room-input', 0)) });
  consumer.resume([{ topic, partitions: [0] }]);
  await pause(500);
  report('kafka-groups', 'append and delivery', spread(await deliveries()));
  await consumer.disconnect();

  const subscription = await driver.subscribe('room-input', 0, await driver.head('room-input', 0), async () => arrived?.());
  await pause(500);
  report('kafka', 'append and delivery', spread(await deliveries()));
  await subscription.close();
  await close();
}

function spread(samples: number[]): object {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
  return { n: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function report(driver: string, what: string, figures: object): void {
  console.log(JSON.stringify({ driver, what, ...figures }));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}
