/**
 * Appending to Kafka: one produce request under way, with the next pack of every partition that has something; what is appended meanwhile goes with the
 * next one. So order is kept, and many concurrent appends are one request. acks=all, idempotent producer; a producer that failed is replaced.
 */
import { Partitioners, type Kafka, type Producer, type TopicMessages } from 'kafkajs';
import { watchCores } from '../../runtime/core-watch.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createAppendQueue, type AppendQueue, type Parcel } from '../append-queue.ts';
import { LogUnavailable } from '../log.ts';
import { topicOf } from './topics.ts';

const REQUEST_BYTES_MAX = 4 * 1024 * 1024;
/** After a request, where cores are short: the next one costs as much for one record as for many. A millisecond for so much: of few appenders nobody waits long. */
const REST_MS_MAX = 40;
const BYTES_OF_REST_MS = 1024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;
const ACKS_ALL = -1;

export interface Sender extends AppendQueue {
  /** One sentence while Kafka takes nothing. */
  health(): string | undefined;
  /** Ends the producer. */
  disconnect(): Promise<void>;
}

export interface SenderOptions {
  readonly kafka: Kafka;
  readonly prefix: string;
  readonly runtime: Runtime;
  readonly timeoutMs: number;
}

export async function createSender({ kafka, prefix, runtime, timeoutMs }: SenderOptions): Promise<Sender> {
  let producer: Producer | undefined = await connectProducer(kafka);
  let running = false;
  let closed = false;
  let failing = false;
  const cores = watchCores(runtime.clock);

  async function produce(parcels: readonly Parcel[]): Promise<void> {
    producer ??= await connectProducer(kafka);
    try {
      await producer.sendBatch({ acks: ACKS_ALL, topicMessages: messagesOf(parcels, prefix) });
    } catch (error) {
      // Its sequence numbers may be out of step now.
      const failed = producer;
      producer = undefined;
      failed.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** Gives up what is too old. */
  function dropLate(parcels: readonly Parcel[], cause: unknown): Parcel[] {
    const now = runtime.clock.monotonic();
    const late = parcels.filter((parcel) => closed || parcel.deadline <= now);
    for (const parcel of late) parcel.settle(new LogUnavailable('Kafka does not take records', { cause }));
    return parcels.filter((parcel) => !late.includes(parcel));
  }

  async function run(): Promise<void> {
    let parcels: Parcel[] = [];
    let retryMs = RETRY_MS_MIN;
    for (fill(queue, parcels); parcels.length > 0; fill(queue, parcels)) {
      try {
        await produce(parcels);
        failing = false;
        retryMs = RETRY_MS_MIN;
        const bytes = bytesOf(parcels);
        for (const parcel of parcels) parcel.settle();
        parcels = [];
        await cores.rest(Math.min(REST_MS_MAX, bytes / BYTES_OF_REST_MS));
      } catch (err) {
        failing = true;
        runtime.logger.warn({ err }, 'Kafka does not take records, will try again');
        await runtime.clock.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
        parcels = dropLate(parcels, err);
      }
      // Those who waited for this request may append again before the next one is made up.
      await runtime.clock.yield();
    }
    running = false;
  }

  const queue = createAppendQueue({
    clock: runtime.clock,
    timeoutMs,
    onWork: () => {
      if (running) return;
      running = true;
      void Promise.resolve().then(run);
    },
  });
  return {
    ...queue,
    close(reason) {
      closed = true;
      queue.close(reason);
    },
    health: () => (failing ? 'Kafka does not take records' : undefined),
    disconnect: async () => { await producer?.disconnect(); },
  };
}

/** Adds the next packs of idle partitions to those that are still to be sent. */
function fill(queue: AppendQueue, parcels: Parcel[]): void {
  let bytes = bytesOf(parcels);
  for (const lane of queue.readyLanes()) {
    if (bytes >= REQUEST_BYTES_MAX) return;
    const parcel = queue.take(lane);
    if (!parcel) continue;
    parcels.push(parcel);
    bytes += parcel.payload.byteLength;
  }
}

function bytesOf(parcels: readonly Parcel[]): number {
  return parcels.reduce((sum, { payload }) => sum + payload.byteLength, 0);
}

async function connectProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({ idempotent: true, allowAutoTopicCreation: false, createPartitioner: Partitioners.DefaultPartitioner });
  try {
    await producer.connect();
    return producer;
  } catch (error) {
    producer.disconnect().catch(() => undefined);
    throw error;
  }
}

function messagesOf(parcels: readonly Parcel[], prefix: string): TopicMessages[] {
  const topics = new Map<string, TopicMessages['messages']>();
  for (const { lane, payload } of parcels) {
    const topic = topicOf(prefix, lane.log);
    const messages = topics.get(topic) ?? [];
    messages.push({ partition: lane.partition, value: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) });
    topics.set(topic, messages);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}
