/** One turn of a destination: the next transaction of its queue is made, sent, and what became of it is written down. */
import { afterFailure, type BackoffBounds } from '../../../pkg/federation/backoff.ts';
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { dequeue, dequeueAll, readQueue } from '../storage/destination-queue.ts';
import { clearBackoff, writeBackoff } from '../storage/destinations.ts';
import { dequeueAllUnits, dequeueUnits, readUnitQueue, type QueuedUnit } from '../storage/unit-queue.ts';
import type { Destination } from './destination.ts';
import { takeUnits, TRANSACTION_EDUS_MAX } from './ephemeral.ts';
import type { SenderMetrics } from './sender-metrics.ts';
import type { Settle } from './settle.ts';
import { makeTransaction, refusedEvents, TRANSACTION_PDUS_MAX, type OutgoingTransaction } from './transaction.ts';

export interface DeliverDeps {
  readonly runtime: Runtime;
  readonly database: Pick<Database, 'query' | 'queryIn'>;
  readonly settle: Settle;
  readonly serverName: string;
  /** Signs. */
  readonly transport: FederationTransport;
  readonly roomQuery: Pick<RoomQuery, 'eventsById'>;
  readonly isDenied: (serverName: string) => boolean;
  readonly retry: BackoffBounds;
  readonly metrics: SenderMetrics;
}

/**
 * - `empty`: nothing is queued. `sent`: `more` may be.
 * - `failed`: the destination has a pause now.
 * - `cancelled`: somebody else will do it.
 */
export type Delivery = { readonly kind: 'empty' | 'failed' | 'cancelled' } | { readonly kind: 'sent'; readonly more: boolean };

/** For a server that does a lot with what it is given. */
const DEADLINE_MS = 60_000;
/** For one that failed last time. */
const DEADLINE_FAILING_MS = 30_000;
/** Of an answer: a line for each event. */
const RESPONSE_BYTES_MAX = 1024 * 1024;
/** Stored units of a transaction: so many, of so many bytes; one may go beyond. Others have the rest of their places. */
const STORED_UNITS_MAX = 50;
const STORED_BYTES_MAX = 512 * 1024;
/** Too much waits for the destination in this process: nothing was sent. */
const OVERLOADED_MS = 1000;

/** Resolves when what became of it is on disk. Rejects with `StorageError`; then the same is sent again some time. */
export async function deliver(deps: DeliverDeps, destination: Destination): Promise<Delivery> {
  const { database, settle, runtime, serverName, roomQuery } = deps;
  const { name, limit } = destination;
  const queued = await readQueue(database, name, { fromPartition: destination.fromPartition, limit });
  const { stored, hasMore } = await readStored(database, destination, queued.length);
  const soft = takeUnits(destination.units).slice(-(TRANSACTION_EDUS_MAX - stored.length));
  if (queued.length === 0 && soft.length === 0 && stored.length === 0) return { kind: 'empty' };
  if (deps.isDenied(name)) {
    await settle(async (tx) => {
      await dequeueAll(tx, name);
      await dequeueAllUnits(tx, name);
    });
    return { kind: 'empty' };
  }
  const transaction = await makeTransaction({ serverName, nowMs: runtime.clock.now(), roomQuery }, queued, { soft, stored });
  const isSent = transaction.eventIds.length > 0 || stored.length > 0 || soft.length > 0;
  if (isSent) {
    const failure = await send(deps, destination, transaction);
    if (failure !== undefined) return failure;
  }
  await noteSent(deps, destination, { ...transaction, hadFailed: destination.backoff !== undefined && isSent });
  destination.limit = Math.min(TRANSACTION_PDUS_MAX, limit * 2);
  destination.fromPartition = (transaction.queued.at(-1)?.originPartition ?? -1) + 1;
  return { kind: 'sent', more: hasMore || queued.length === limit || transaction.queued.length < queued.length };
}

/** The next units that have to arrive, as many as go into a transaction. A destination that is given single items gets no unit beside an event. */
async function readStored(database: DeliverDeps['database'], { name, limit }: Destination, events: number): Promise<{ stored: QueuedUnit[]; hasMore: boolean }> {
  if (limit === 1 && events > 0) return { stored: [], hasMore: true };
  const read = await readUnitQueue(database, name, Math.min(limit, STORED_UNITS_MAX));
  let bytes = 0;
  const cut = read.findIndex(({ json }) => (bytes += json.length) > STORED_BYTES_MAX);
  const stored = cut === -1 ? read : read.slice(0, Math.max(1, cut));
  return { stored, hasMore: stored.length < read.length || read.length === Math.min(limit, STORED_UNITS_MAX) };
}

type Done = Pick<OutgoingTransaction, 'queued' | 'stored'> & { readonly hadFailed: boolean };

async function noteSent({ settle, runtime }: DeliverDeps, destination: Destination, { queued, stored, hadFailed }: Done): Promise<void> {
  const { name } = destination;
  if (queued.length > 0 || stored.length > 0 || hadFailed) {
    await settle(async (tx) => {
      await dequeue(tx, queued);
      await dequeueUnits(tx, stored);
      if (hadFailed) await clearBackoff(tx, name, runtime.clock.now());
    });
  }
  if (!hadFailed) return;
  runtime.logger.info({ destination: name, failures: destination.backoff?.failures }, 'the server is reached again');
  destination.backoff = undefined;
}

/** undefined: it has arrived, or is given up. */
async function send(deps: DeliverDeps, destination: Destination, transaction: OutgoingTransaction): Promise<Delivery | undefined> {
  const { runtime: { clock, logger }, metrics } = deps;
  const { name } = destination;
  const { txnId, eventIds, stored, json } = transaction;
  const [startedMs, startedAt] = [clock.now(), clock.monotonic()];
  const took = (): number => (clock.monotonic() - startedAt) / 1000;
  try {
    const { body } = await deps.transport.request({
      destination: name, method: 'PUT', path: `/_matrix/federation/v1/send/${encodeURIComponent(txnId)}`, json,
      deadlineMs: destination.backoff === undefined ? DEADLINE_MS : DEADLINE_FAILING_MS, signal: destination.abort.signal,
      responseBytesMax: RESPONSE_BYTES_MAX,
    });
    metrics.transaction('sent', eventIds.length, took());
    const refused = refusedEvents(body);
    if (refused.size > 0) logger.warn({ destination: name, events: refused.size, first: [...refused].slice(0, 5) }, 'the server did not take some events');
    return undefined;
  } catch (error) {
    if (!(error instanceof FederationError)) throw error;
    if (error.kind === 'cancelled') {
      metrics.transaction('cancelled', 0, took());
      return { kind: 'cancelled' };
    }
    metrics.transaction('failed', 0, took());
    if (transaction.withoutUnits !== undefined && isAboutContent(error)) return eventIds.length + stored.length === 0 ? undefined : send(deps, destination, transaction.withoutUnits);
    return failed(deps, destination, { error, startedMs, most: Math.max(eventIds.length, stored.length), items: [...eventIds, ...stored.map((unit) => `unit ${unit.originPartition} ${unit.originSequence} ${unit.number}`)] });
  }
}

interface Failure {
  readonly error: FederationError;
  readonly startedMs: number;
  /** Names of the events and stored units that were sent. */
  readonly items: readonly string[];
  /** How many there were of those of which there were more. */
  readonly most: number;
}

async function failed(deps: DeliverDeps, destination: Destination, { error, startedMs, items, most }: Failure): Promise<Delivery | undefined> {
  const { runtime: { clock, random, logger }, retry, settle, metrics } = deps;
  const { name, partition } = destination;
  // Fewer at a time find the one that it is about.
  if (isAboutContent(error) && items.length === 1) {
    logger.warn({ destination: name, item: items[0], error }, 'the server takes an event or unit in no form; it is given up');
    metrics.dropped('refused', 1);
    return undefined;
  }
  if (isAboutContent(error)) destination.limit = Math.max(1, Math.floor(most / 2));
  const retryAfterMs = error.kind === 'overloaded' ? OVERLOADED_MS : error.retryAfterMs;
  const backoff = afterFailure(destination.backoff, retry, { nowMs: clock.now(), startedMs, random: random.float(), ...(retryAfterMs !== undefined && { retryAfterMs }) });
  const level = destination.backoff === undefined ? 'warn' : 'debug';
  logger[level]({ destination: name, failures: backoff.failures, waitMs: backoff.retryAtMs - clock.now(), error: error.message }, 'the server could not be reached; it is tried again later');
  destination.backoff = backoff;
  await settle((tx) => writeBackoff(tx, name, partition, backoff));
  return { kind: 'failed' };
}

/** It cannot take what it was sent in this form. */
function isAboutContent({ kind, status }: FederationError): boolean {
  return kind === 'http' && (status === 400 || status === 413);
}
