/**
 * Signals over Kafka: one topic that every process reads from its newest end, keyed by channel. Sent in batches without waiting, lost when Kafka is away.
 */
import { createHash } from 'node:crypto';
import { Partitioners, type Kafka, type Message } from 'kafkajs';
import type { Runtime } from '../../runtime/runtime.ts';
import { callListener, type Receive } from '../call-listener.ts';
import type { Subscription } from '../log.ts';
import type { FetchedMessage } from './fetcher.ts';
import type { FetcherPool } from './fetcher-pool.ts';
import { SIGNAL_PARTITIONS } from './topics.ts';

const WAITING_MAX = 10_000;
const BATCH_MAX = 1000;
const ACKS_LEADER = 1;

export interface KafkaSignals {
  send(channel: string, value: Uint8Array): void;
  listen(channel: string, receive: Receive): Promise<Subscription>;
  close(): Promise<void>;
}

export interface KafkaSignalsOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly pool: FetcherPool;
  readonly runtime: Runtime;
  readonly newest: (partition: number) => Promise<number>;
}

export async function createKafkaSignals(options: KafkaSignalsOptions): Promise<KafkaSignals> {
  const { topic, runtime } = options;
  const producer = options.kafka.producer({ allowAutoTopicCreation: false, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const channels = new Map<string, Set<{ receive: Receive }>>();
  let waiting: Message[] = [];
  let sending = false;
  let closed = false;
  let reading: Promise<void> | undefined;

  async function flush(): Promise<void> {
    while (waiting.length > 0 && !closed) {
      const messages = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      try {
        await producer.send({ topic, messages, acks: ACKS_LEADER });
      } catch (err) {
        runtime.logger.debug({ err, lost: messages.length }, 'signals were lost');
      }
    }
    sending = false;
  }

  function receive({ key, value }: FetchedMessage): void {
    const channel = key?.toString() ?? '';
    for (const listener of channels.get(channel) ?? []) callListener(listener.receive, value ?? new Uint8Array(), { runtime, channel });
  }

  async function readAll(): Promise<void> {
    for (let partition = 0; partition < SIGNAL_PARTITIONS; partition += 1) {
      const next = await options.newest(partition);
      options.pool.add({ topic, partition, next, outOfRange: 'newest', hasRoom: () => true, receive });
    }
  }

  return {
    send(channel, value) {
      if (closed) return;
      if (waiting.length >= WAITING_MAX) waiting = waiting.slice(WAITING_MAX / 2);
      waiting.push({ key: channel, value: Buffer.from(value), partition: createHash('sha256').update(channel).digest()[0]! % SIGNAL_PARTITIONS });
      if (sending) return;
      sending = true;
      void Promise.resolve().then(flush);
    },
    async listen(channel, receiveOne) {
      reading ??= readAll().catch((error: unknown) => {
        reading = undefined;
        throw error;
      });
      await reading;
      const listener = { receive: receiveOne };
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(listener));
      return {
        close: async () => {
          listeners.delete(listener);
          if (listeners.size === 0 && channels.get(channel) === listeners) channels.delete(channel);
        },
      };
    },
    async close() {
      closed = true;
      await producer.disconnect().catch(() => undefined);
    },
  };
}
