/**
 * Signals over Kafka: one topic, read from its newest end, keyed by channel. Sent in batches without waiting, lost when Kafka is away. A process reads the partitions of the channels that it listens to: what comes
 * with every message (advances of read models, outcomes) has partitions of its own, so that a process to which neither matters is left in peace.
 */
import { createHash } from 'node:crypto';
import { Partitioners, type Kafka, type Message } from 'kafkajs';
import type { Runtime } from '../../runtime/runtime.ts';
import { createLocalSignals, type Receive } from '../local-signals.ts';
import type { Subscription } from '../log.ts';
import type { FetchedMessage } from './fetcher.ts';
import type { FetcherPool } from './fetcher-pool.ts';

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
  const local = createLocalSignals(runtime);
  const self = runtime.random.token(12);
  let waiting: Message[] = [];
  let sending = false;
  let closed = false;
  const reading = new Map<number, Promise<void>>();

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

  /** A key is the sender and the channel; what this process sent, its listeners have already. */
  function receive({ key, value }: FetchedMessage): void {
    const [sender = '', ...channel] = (key?.toString() ?? '').split(' ');
    if (sender !== self) local.send(channel.join(' '), value ?? new Uint8Array());
  }

  async function read(partition: number): Promise<void> {
    const next = await options.newest(partition);
    options.pool.add({ topic, partition, next, outOfRange: 'newest', hasRoom: () => true, receive });
  }

  function readOnce(partition: number): Promise<void> {
    const begun = reading.get(partition) ?? read(partition).catch((error: unknown) => {
      reading.delete(partition);
      throw error;
    });
    reading.set(partition, begun);
    return begun;
  }

  return {
    send(channel, value) {
      if (closed) return;
      local.send(channel, value);
      if (waiting.length >= WAITING_MAX) waiting = waiting.slice(WAITING_MAX / 2);
      waiting.push({ key: `${self} ${channel}`, value: Buffer.from(value), partition: partitionOfChannel(channel) });
      if (sending) return;
      sending = true;
      void Promise.resolve().then(flush);
    },
    async listen(channel, receiveOne) {
      await readOnce(partitionOfChannel(channel));
      return local.listen(channel, receiveOne);
    },
    async close() {
      closed = true;
      await producer.disconnect().catch(() => undefined);
    },
  };
}

const ADVANCES = 0;
const OUTCOMES = [1, 2] as const;
const OTHERS = 3;

/** Of `SIGNAL_PARTITIONS`. */
function partitionOfChannel(channel: string): number {
  if (channel.startsWith('applied.')) return ADVANCES;
  if (!channel.startsWith('reply.')) return OTHERS;
  return OUTCOMES[createHash('sha256').update(channel).digest()[0]! % OUTCOMES.length]!;
}
