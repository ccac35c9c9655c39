/**
 * Reading from Kafka without consumer groups: for every broker one loop of fetch requests over the partitions that it leads and that have room. What has
 * no room is left out of the next request, so a slow consumer holds up nobody else. After a failure the metadata is refreshed and reading goes on where it
 * was; an offset that the broker does not have any more is replaced by the oldest (or newest) it has.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import { createGate } from '../gate.ts';
import type { OpenCluster } from './client.ts';

/** A partition that is being read. */
export interface Read {
  readonly topic: string;
  readonly partition: number;
  /** Where to go on when `next` is not to be had. */
  readonly outOfRange: 'oldest' | 'newest';
  next: number;
  hasRoom(): boolean;
  receive(message: FetchedMessage): void;
}

export interface FetchedMessage {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface Fetcher {
  add(read: Read): void;
  remove(read: Read): void;
  /** A partition has room again. */
  wake(): void;
  health(): string | undefined;
  close(): Promise<void>;
}

/**
 * How long the broker holds a request when there is nothing: also the longest that a partition added meanwhile has to wait for its first fetch.
 */
const WAIT_MS_MAX = 100;
const PARTITION_BYTES_MAX = 1024 * 1024;
const RESPONSE_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;

interface FetchResponse {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly { offset: string; key: Buffer | null; value: Buffer | null; isControlRecord?: boolean }[];
    }[];
  }[];
}

export function createFetcher(open: OpenCluster, runtime: Runtime): Fetcher {
  const { cluster } = open;
  const reads = new Map<string, Read>();
  const loops = new Map<string, Promise<void>>();
  const wakened = createGate();
  const failing = new Set<string>();
  let closed = false;

  function nodeOf(read: Read): string | undefined {
    try {
      return Object.keys(cluster.findLeaderForPartitions(read.topic, [read.partition]))[0];
    } catch {
      // The metadata are not loaded, or the partition has no leader at the moment.
      return undefined;
    }
  }
  const ledBy = (nodeId: string): Read[] => [...reads.values()].filter((read) => nodeOf(read) === nodeId);

  function startLoops(): void {
    for (const read of reads.values()) {
      const nodeId = nodeOf(read) ?? 'unknown';
      if (!closed && !loops.has(nodeId)) loops.set(nodeId, runtime.tasks.spawn(`kafka fetch ${nodeId}`, () => loop(nodeId).finally(() => loops.delete(nodeId))).done);
    }
    wakened.open();
  }

  /** Ends when the broker leads nothing that is read. */
  async function loop(nodeId: string): Promise<void> {
    // Whoever adds many partitions in one go has them all in the first request.
    await runtime.clock.yield();
    let retryMs = RETRY_MS_MIN;
    while (!closed) {
      const led = nodeId === 'unknown' ? [...reads.values()].filter((read) => nodeOf(read) === undefined) : ledBy(nodeId);
      if (led.length === 0) break;
      try {
        if (nodeId === 'unknown') throw new Error('a partition has no leader');
        await fetchOnce(nodeId, led.filter((read) => read.hasRoom()));
        failing.delete(nodeId);
        retryMs = RETRY_MS_MIN;
      } catch (error) {
        if (closed) break;
        if (await recover(error)) continue;
        failing.add(nodeId);
        runtime.logger.warn({ err: error }, 'cannot read from Kafka, will try again');
        await runtime.clock.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
        await open.refresh().then(startLoops, () => undefined);
      }
    }
    failing.delete(nodeId);
  }

  async function fetchOnce(nodeId: string, active: readonly Read[]): Promise<void> {
    if (active.length === 0) return wakened.wait();
    const broker = await cluster.findBroker({ nodeId });
    const byTopic = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
    for (const { topic, partition, next } of active) {
      const partitions = byTopic.get(topic) ?? [];
      partitions.push({ partition, fetchOffset: String(next), maxBytes: PARTITION_BYTES_MAX });
      byTopic.set(topic, partitions);
    }
    const { responses } = (await broker.fetch({
      maxWaitTime: WAIT_MS_MAX, minBytes: 1, maxBytes: RESPONSE_BYTES_MAX, isolationLevel: 0,
      topics: [...byTopic].map(([topic, partitions]) => ({ topic, partitions })),
    })) as FetchResponse;
    const asked = new Set(active);
    for (const { topicName, partitions } of responses) {
      for (const { partition, messages } of partitions) {
        const read = reads.get(`${topicName}/${partition}`);
        // It may have been closed, or opened anew at another place, while the request was under way.
        if (read && asked.has(read)) receiveAll(read, messages);
      }
    }
  }

  /** True when the cause is removed and reading can go on at once. */
  async function recover(error: unknown): Promise<boolean> {
    const { name, topic, partition, host, port } = error as { name?: string; topic?: string; partition?: number; host?: string; port?: number };
    if (name === 'KafkaJSConnectionClosedError' && host && port) (cluster.removeBroker as (at: { host: string; port: number }) => void)({ host, port });
    if (name !== 'KafkaJSOffsetOutOfRange') return false;
    const read = reads.get(`${topic}/${partition}`);
    if (!read) return true;
    try {
      const from = await findOffset(open, read.topic, read.partition, read.outOfRange);
      runtime.logger.warn({ topic, partition, wanted: read.next, from }, 'Kafka does not have this offset any more');
      read.next = from;
      return true;
    } catch {
      return false;
    }
  }

  return {
    add(read) {
      reads.set(`${read.topic}/${read.partition}`, read);
      startLoops();
    },
    remove(read) {
      if (reads.get(`${read.topic}/${read.partition}`) === read) reads.delete(`${read.topic}/${read.partition}`);
      wakened.open();
    },
    wake: () => wakened.open(),
    health: () => (failing.size > 0 ? 'cannot read from Kafka' : undefined),
    async close() {
      closed = true;
      wakened.open();
      await Promise.all(loops.values());
    },
  };
}

function receiveAll(read: Read, messages: FetchResponse['responses'][0]['partitions'][0]['messages']): void {
  for (const message of messages) {
    const offset = Number(message.offset);
    // A batch on disk is sent whole, from before the offset that was asked for.
    if (offset < read.next) continue;
    read.next = offset + 1;
    if (!message.isControlRecord) read.receive({ offset, key: message.key, value: message.value });
  }
}

/** The oldest offset that is kept, or the one after the newest record. */
export async function findOffset(open: OpenCluster, topic: string, partition: number, which: 'oldest' | 'newest'): Promise<number> {
  const [found] = await open.cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning: which === 'oldest' }]);
  const offset = found?.partitions.find((one) => one.partition === partition)?.offset;
  if (offset === undefined) throw new Error(`Kafka says no offset of ${topic}/${partition}`);
  return Number(offset);
}
