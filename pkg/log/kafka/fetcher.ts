/**
 * Reading from Kafka without consumer groups: for every broker one loop of fetch requests over the partitions that it leads and that have room. What has
 * no room is left out of the next request, so a slow consumer holds up nobody else. After a failure the metadata is refreshed and reading goes on where it
 * was; an offset that the broker does not have any more is replaced by the oldest (or newest) it has.
 */
import { watchCores } from '../../runtime/core-watch.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createGate } from '../gate.ts';
import type { OpenCluster } from './client.ts';
import { FetchSession, fetchInSession, type FetchResponse } from './fetch-session.ts';
import { partitionKey } from './topics.ts';

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
 * How long the broker holds a request when there is nothing: also the longest that a partition added meanwhile has to wait for its first fetch. Twice as long after each that brought nothing: a process at rest takes
 * half a millisecond for each.
 */
const WAIT_MS = { least: 100, most: 400 };
/** After a fetch that had something, where cores are short: each costs a millisecond for all partitions together, however little there is. */
const REST_MS = { least: 30, most: 100 };
/** A millisecond's rest for so much: where few wait for what comes, they wait less long. */
const BYTES_OF_REST_MS = 1024;
const PARTITION_BYTES_MAX = 1024 * 1024;
const RESPONSE_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;

export function createFetcher(open: OpenCluster, runtime: Runtime): Fetcher {
  return new LeaderFetcher(open, runtime);
}

/** Stands for the broker of partitions whose leader is not known. */
const NO_LEADER = 'unknown';

class LeaderFetcher implements Fetcher {
  readonly #open: OpenCluster;
  readonly #runtime: Runtime;
  readonly #reads = new Map<string, Read>();
  /** What each broker leads of `#reads`; undefined: to be looked up. Asking kafkajs for each partition before each fetch costs a fifth of the fetch. */
  #led: Map<string, Read[]> | undefined;
  readonly #loops = new Map<string, Promise<void>>();
  readonly #wakened = createGate();
  readonly #failing = new Set<string>();
  #closed = false;

  constructor(open: OpenCluster, runtime: Runtime) {
    this.#open = open;
    this.#runtime = runtime;
  }

  add(read: Read): void {
    this.#reads.set(partitionKey(read.topic, read.partition), read);
    this.#startLoops();
  }

  remove(read: Read): void {
    if (this.#reads.get(partitionKey(read.topic, read.partition)) === read) this.#reads.delete(partitionKey(read.topic, read.partition));
    this.#led = undefined;
    this.#wakened.open();
  }

  wake(): void {
    this.#wakened.open();
  }

  health(): string | undefined {
    return this.#failing.size > 0 ? 'cannot read from Kafka' : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakened.open();
    await Promise.all(this.#loops.values());
  }

  #nodeOf(read: Read): string {
    try {
      return Object.keys(this.#open.cluster.findLeaderForPartitions(read.topic, [read.partition]))[0] ?? NO_LEADER;
    } catch {
      // The metadata are not loaded, or the partition has no leader at the moment.
      return NO_LEADER;
    }
  }

  #ledBy(nodeId: string): readonly Read[] {
    this.#led ??= Map.groupBy(this.#reads.values(), (read) => this.#nodeOf(read));
    return this.#led.get(nodeId) ?? [];
  }

  #startLoops(): void {
    this.#led = undefined;
    for (const read of this.#reads.values()) {
      const nodeId = this.#nodeOf(read);
      if (this.#closed || this.#loops.has(nodeId)) continue;
      const task = this.#runtime.tasks.spawn(`kafka fetch ${nodeId}`, () => this.#loop(nodeId));
      this.#loops.set(nodeId, task.done);
    }
    this.#wakened.open();
  }

  /** Ends when the broker leads nothing that is read. */
  async #loop(nodeId: string): Promise<void> {
    const { clock, logger } = this.#runtime;
    // Whoever adds many partitions in one go has them all in the first request.
    await clock.yield();
    const cores = watchCores(clock);
    const session = new FetchSession();
    let retryMs = RETRY_MS_MIN;
    let before: readonly Read[] = [];
    let waitMs = WAIT_MS.least;
    while (!this.#closed) {
      const led = this.#ledBy(nodeId);
      if (led !== before) waitMs = WAIT_MS.least;
      before = led;
      if (led.length === 0) {
        // At once: a partition that is added from now on starts a new loop.
        this.#loops.delete(nodeId);
        break;
      }
      try {
        const active = led.filter((read) => read.hasRoom());
        const bytes = await this.#fetchOnce(nodeId, session, active, waitMs);
        // One that has no room now is not to wait for long when it has.
        waitMs = bytes === 0 && active.length === led.length ? Math.min(2 * waitMs, WAIT_MS.most) : WAIT_MS.least;
        if (bytes > 0) await cores.rest(Math.min(REST_MS.most, Math.max(REST_MS.least, bytes / BYTES_OF_REST_MS)));
        this.#failing.delete(nodeId);
        retryMs = RETRY_MS_MIN;
      } catch (err) {
        if (this.#closed) break;
        if (await this.#recover(err)) continue;
        this.#failing.add(nodeId);
        logger.warn({ err }, 'cannot read from Kafka, will try again');
        await clock.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
        await this.#open.refresh().then(() => this.#startLoops(), () => undefined);
      }
    }
    this.#failing.delete(nodeId);
  }

  /** How many bytes there were. */
  async #fetchOnce(nodeId: string, session: FetchSession, active: readonly Read[], waitMs: number): Promise<number> {
    if (nodeId === NO_LEADER) throw new Error('a partition has no leader');
    if (active.length === 0) {
      await this.#wakened.wait();
      return 0;
    }
    const broker = await this.#open.cluster.findBroker({ nodeId });
    const responses = await fetchInSession(broker, session, active, { maxWaitTime: waitMs, minBytes: 1, maxBytes: RESPONSE_BYTES_MAX, partitionBytesMax: PARTITION_BYTES_MAX });
    const asked = new Set(active);
    let bytes = 0;
    for (const { topicName, partitions } of responses) {
      for (const { partition, messages } of partitions) {
        const read = this.#reads.get(partitionKey(topicName, partition));
        // It may have been closed, or opened anew at another place, while the request was under way.
        if (read && asked.has(read)) receiveAll(read, messages);
        for (const { value } of messages) bytes += value?.length ?? 1;
      }
    }
    return bytes;
  }

  /** True when the cause is removed and reading can go on at once. */
  async #recover(error: unknown): Promise<boolean> {
    const { name, topic, partition, host, port } = error as { name?: string; topic?: string; partition?: number; host?: string; port?: number };
    if (name === 'KafkaJSConnectionClosedError' && host && port) this.#open.cluster.removeBroker({ host, port });
    if (name !== 'KafkaJSOffsetOutOfRange') return false;
    const read = this.#reads.get(partitionKey(String(topic), Number(partition)));
    if (!read) return true;
    try {
      const from = await findOffset(this.#open, read.topic, read.partition, read.outOfRange);
      this.#runtime.logger.warn({ topic, partition, wanted: read.next, from }, 'Kafka does not have this offset any more');
      read.next = from;
      return true;
    } catch {
      return false;
    }
  }
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
