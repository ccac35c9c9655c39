/**
 * The log over Kafka: a topic per log with a partition per partition, an entry per pack, Kafka's offsets. No consumer groups at all: leases say who
 * owns what, and reads go to the partition's leader directly (`fetcher.ts`; docs/decisions/0001). Signals go over a topic of their own.
 */
import type { KafkaConfig } from 'kafkajs';
import type { Runtime } from '../../runtime/runtime.ts';
import { drainAppends } from '../append-queue.ts';
import { createDelivery } from '../delivery.ts';
import { LogUnavailable, type LogDriver, type Subscription } from '../log.ts';
import { unpackOrPass } from '../pack.ts';
import { createClient, openCluster, type OpenCluster } from './client.ts';
import { findOffset } from './fetcher.ts';
import { createFetcherPool } from './fetcher-pool.ts';
import { createSender } from './sender.ts';
import { createKafkaSignals } from './signals.ts';
import { ensureTopics, LOG_NAMES, SIGNAL_PARTITIONS, signalTopic, topicOf, topicsOf, whenKnown } from './topics.ts';

export interface KafkaDriverOptions {
  /** `host:port`, one or several. */
  readonly brokers: string[];
  readonly partitions: number;
  readonly runtime: Runtime;
  /** Names topics. Default `myelin`. */
  readonly prefix?: string;
  /** How long records are kept, in ms. Default 72 h. */
  readonly retentionMs?: number;
  /** Copies of each partition; default: the broker's own. */
  readonly replicas?: number;
  /** How long an append may wait for Kafka, in ms. Default 10 s. */
  readonly appendTimeoutMs?: number;
  /** Credentials, TLS and the like. */
  readonly client?: Partial<KafkaConfig>;
}

const RETENTION_MS = 72 * 3_600_000;
const APPEND_TIMEOUT_MS = 10_000;
const LEADERS_WAIT_MS = 30_000;
const RETRY_MS_MIN = 50;

/** Connects and makes the topics; rejects when no broker answers. */
export async function createKafkaDriver(options: KafkaDriverOptions): Promise<LogDriver> {
  const { runtime, prefix = 'myelin', appendTimeoutMs = APPEND_TIMEOUT_MS } = options;
  const kafka = createClient(options.brokers, runtime, options.client);
  const clusterId = await prepareTopics(options, prefix);
  const open = () => openCluster(kafka, topicsOf(prefix));
  const control = await whenKnown(runtime.clock, LEADERS_WAIT_MS, open);
  await waitForLeaders(control, options, prefix);
  const pool = createFetcherPool(open, runtime);
  const sender = await createSender({ kafka, prefix, runtime, timeoutMs: appendTimeoutMs });
  const signals = await createKafkaSignals({ kafka, topic: signalTopic(prefix), pool, runtime, newest: (partition) => head(signalTopic(prefix), partition) });
  const subscriptions = new Set<Subscription>();
  let closed = false;

  const head = (topic: string, partition: number): Promise<number> =>
    findHead(control, { topic, partition, runtime, timeoutMs: appendTimeoutMs, givenUp: () => closed });

  function checkPartition(partition: number): void {
    if (closed) throw new LogUnavailable('the log is closed');
    if (!(partition >= 0 && partition < options.partitions)) throw new RangeError(`no partition ${partition}`);
  }

  return {
    name: 'kafka',
    transportId: `kafka:${clusterId}:${prefix}`,
    async append(log, partition, records) {
      checkPartition(partition);
      await sender.add(log, partition, records);
    },
    async subscribe(log, partition, from, deliver) {
      checkPartition(partition);
      const delivery = createDelivery({ name: `${log}/${partition}`, runtime, deliver, onRoom: pool.wake });
      const remove = pool.add({
        topic: topicOf(prefix, log), partition, next: from, outOfRange: 'oldest',
        hasRoom: () => !delivery.full(),
        receive: ({ offset, value }) => delivery.push(offset, unpackOrPass(value ?? new Uint8Array())),
      });
      const subscription: Subscription = {
        close: async () => {
          subscriptions.delete(subscription);
          delivery.close();
          remove();
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },
    async head(log, partition) {
      checkPartition(partition);
      return head(topicOf(prefix, log), partition);
    },
    signal: signals.send,
    listen: signals.listen,
    health() {
      if (closed) return 'the log is closed';
      return pool.health() ?? sender.health();
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const subscription of [...subscriptions]) await subscription.close();
      await drainAppends(sender, () => sender.health() === undefined, runtime.clock);
      sender.close('the log is closed');
      await Promise.all([signals.close(), pool.close(), sender.disconnect().catch(() => undefined), control.close().catch(() => undefined)]);
    },
  };
}

/** Says the broker's cluster ID, which names its data. */
async function prepareTopics(options: KafkaDriverOptions, prefix: string): Promise<string> {
  // Patient, unlike the clients that work: topics take their time to get leaders.
  const admin = createClient(options.brokers, options.runtime, { retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 1000 }, ...options.client }).admin();
  await admin.connect();
  try {
    await whenKnown(options.runtime.clock, LEADERS_WAIT_MS, () => ensureTopics(admin, {
      prefix, partitions: options.partitions, retentionMs: options.retentionMs ?? RETENTION_MS, replicas: options.replicas ?? -1,
    }));
    return (await admin.describeCluster()).clusterId;
  } finally {
    await admin.disconnect();
  }
}

/** New topics are known before their partitions can be used: waits until every partition's leader answers. */
async function waitForLeaders(control: OpenCluster, { partitions, runtime }: KafkaDriverOptions, prefix: string): Promise<void> {
  const end = runtime.clock.monotonic() + LEADERS_WAIT_MS;
  for (;;) {
    try {
      await control.cluster.fetchTopicsOffset([
        ...LOG_NAMES.map((log) => ({ topic: topicOf(prefix, log), partitions: Array.from({ length: partitions }, (_, partition) => ({ partition })), fromBeginning: false })),
        { topic: signalTopic(prefix), partitions: Array.from({ length: SIGNAL_PARTITIONS }, (_, partition) => ({ partition })), fromBeginning: false },
      ]);
      return;
    } catch (error) {
      if (runtime.clock.monotonic() > end) throw error;
      await runtime.clock.sleep(RETRY_MS_MIN);
      await control.refresh().catch(() => undefined);
    }
  }
}

async function findHead(control: OpenCluster, wanted: { topic: string; partition: number; runtime: Runtime; timeoutMs: number; givenUp: () => boolean }): Promise<number> {
  const { clock } = wanted.runtime;
  const end = clock.monotonic() + wanted.timeoutMs;
  for (let retryMs = RETRY_MS_MIN; ; retryMs *= 2) {
    try {
      return await findOffset(control, wanted.topic, wanted.partition, 'newest');
    } catch (cause) {
      if (wanted.givenUp() || clock.monotonic() + retryMs > end) throw new LogUnavailable('Kafka does not answer', { cause });
      await clock.sleep(retryMs);
      await control.refresh().catch(() => undefined);
    }
  }
}
