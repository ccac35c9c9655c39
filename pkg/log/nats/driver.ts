/**
 * The log over NATS JetStream: a stream per log in files, a subject per partition, reads from a stream sequence (which is the offset, so offsets of a partition
 * have holes). Signals go over core NATS.
 */
import { createHash } from 'node:crypto';
import type { ConnectionOptions } from 'nats';
import { createSemaphore } from '../../assert/semaphore.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { drainAppends } from '../append-queue.ts';
import { LogUnavailable, type LogDriver, type Subscription } from '../log.ts';
import { openConnection } from './connection.ts';
import { readPartition } from './reader.ts';
import { createSender } from './sender.ts';
import { createNatsSignals } from './signals.ts';
import { ensureStreams, streamName } from './streams.ts';

export interface NatsDriverOptions {
  /** `host:port`, one or several. */
  readonly servers: string | string[];
  readonly partitions: number;
  readonly runtime: Runtime;
  /** Names streams and subjects; letters, digits, `-`, `_`. Default `myelin`. */
  readonly prefix?: string;
  /** How long records are kept, in ms. Default 72 h. */
  readonly retentionMs?: number;
  /** Copies of each stream in a cluster. Default 1. */
  readonly replicas?: number;
  /** How long an append may wait for the server, in ms. Default 10 s. */
  readonly appendTimeoutMs?: number;
  /** Credentials, TLS and the like. */
  readonly connection?: ConnectionOptions;
}

const RETENTION_MS = 72 * 3_600_000;
const APPEND_TIMEOUT_MS = 10_000;
/** A server that has just started may drop a request: better asked again soon. */
const API_TIMEOUT_MS = 1000;

/** A process that takes all partitions over makes hundreds of consumers: a few at a time, so that no request waits at the server for longer than it may. */
const OPENING = { name: 'reads from NATS that begin', permits: 8, waitingMax: 10_000 };

/** Connects and makes the streams; rejects when no server can be reached. */
export async function createNatsDriver(options: NatsDriverOptions): Promise<LogDriver> {
  const { runtime, prefix = 'myelin' } = options;
  const connection = await openConnection({ servers: options.servers, ...options.connection }, runtime);
  const { nats } = connection;
  const manager = await nats.jetstreamManager({ timeout: API_TIMEOUT_MS });
  const jetStream = nats.jetstream({ timeout: API_TIMEOUT_MS });
  const created = await ensureStreams(manager, { prefix, retentionMs: options.retentionMs ?? RETENTION_MS, replicas: options.replicas ?? 1 });
  const sender = createSender({ connection, prefix, runtime, timeoutMs: options.appendTimeoutMs ?? APPEND_TIMEOUT_MS });
  const signals = createNatsSignals(connection, prefix, runtime);
  const opening = createSemaphore(OPENING);
  const subscriptions = new Set<Subscription>();
  const unreadable = new Set<string>();
  let closed = false;

  function setFailing(name: string, failing: boolean): void {
    if (failing) unreadable.add(name);
    else unreadable.delete(name);
  }

  function track(subscription: Subscription): Subscription {
    const tracked: Subscription = {
      close: async () => {
        subscriptions.delete(tracked);
        await subscription.close();
      },
    };
    subscriptions.add(tracked);
    return tracked;
  }

  function checkPartition(partition: number): void {
    if (closed) throw new LogUnavailable('the log is closed');
    if (!(partition >= 0 && partition < options.partitions)) throw new RangeError(`no partition ${partition}`);
  }

  return {
    name: 'nats',
    transportId: `nats:${createHash('sha256').update([prefix, ...created].join(' ')).digest('hex').slice(0, 16)}`,
    async append(log, partition, records) {
      checkPartition(partition);
      await sender.add(log, partition, records);
    },
    async subscribe(log, partition, from, deliver) {
      checkPartition(partition);
      return track(readPartition({ connection, jetStream, manager, prefix, runtime, opening, setFailing }, { log, partition, from }, deliver));
    },
    async head(log, partition) {
      checkPartition(partition);
      const info = await manager.streams.info(streamName(prefix, log)).catch((cause: unknown) => { throw new LogUnavailable('NATS does not answer', { cause }); });
      return info.state.last_seq + 1;
    },
    signal: signals.send,
    listen: async (channel, receive) => track(await signals.listen(channel, receive)),
    health() {
      if (closed) return 'the log is closed';
      if (!connection.connected()) return 'not connected to NATS';
      if (unreadable.size > 0) return `${unreadable.size} partitions cannot be read from NATS`;
      return sender.health();
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const subscription of [...subscriptions]) await subscription.close();
      await drainAppends(sender, () => connection.connected() && sender.health() === undefined, runtime.clock);
      sender.close('the log is closed');
      await connection.close();
    },
  };
}
