/** Sends a transaction, and what follows from how that went: a pause, or the end of one. */
import { afterFailure, type BackoffBounds } from '../../../pkg/federation/backoff.ts';
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database, Transaction } from '../../../pkg/storage/database.ts';
import { clearBackoff } from '../storage/destinations.ts';
import type { BackoffWrites } from './backoff-writes.ts';
import type { Destination } from './destination.ts';
import type { SenderMetrics } from './sender-metrics.ts';
import type { Settle } from './settle.ts';
import { refusedEvents, type OutgoingTransaction } from './transaction.ts';

export interface SendDeps {
  readonly runtime: Runtime;
  readonly database: Pick<Database, 'query' | 'queryIn'>;
  readonly settle: Settle;
  readonly backoffs: BackoffWrites;
  readonly serverName: string;
  /** Signs. */
  readonly transport: FederationTransport;
  /** Signs nothing. */
  readonly unsigned: FederationTransport;
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
/** For a sign of life. */
const DEADLINE_SIGN_MS = 15_000;
const SIGN_BYTES_MAX = 64 * 1024;
/** Of an answer: a line for each event. */
const RESPONSE_BYTES_MAX = 1024 * 1024;
/** Too much waits for the destination in this process: nothing was sent. */
const OVERLOADED_MS = 1000;

/** Writes down what is done with, and that the destination is reached again if it was sent something and had failed. */
export async function noteReached({ settle, runtime, backoffs }: SendDeps, destination: Destination, isSent: boolean, write: ((tx: Transaction) => Promise<void>) | undefined): Promise<void> {
  const { name, backoff } = destination;
  const hadFailed = backoff !== undefined && isSent;
  if (hadFailed) backoffs.forget(name);
  if (write !== undefined || hadFailed) {
    await settle(async (tx) => {
      await write?.(tx);
      if (hadFailed) await clearBackoff(tx, name, runtime.clock.now());
    });
  }
  if (!hadFailed) return;
  runtime.logger.info({ destination: name, failures: backoff.failures }, 'the server is reached again');
  destination.backoff = undefined;
}

/** undefined: it has arrived, or is given up. */
export async function send(deps: SendDeps, destination: Destination, transaction: OutgoingTransaction<{ readonly eventId: string }>): Promise<Delivery | undefined> {
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

/** Asks a server that has failed for something that costs nothing here or there, before a transaction is made for it. undefined: it is there, and may take what it is sent. */
export async function seekSign(deps: SendDeps, destination: Destination): Promise<Delivery | undefined> {
  const { runtime: { clock }, metrics } = deps;
  const [startedMs, startedAt] = [clock.now(), clock.monotonic()];
  try {
    await deps.unsigned.request({ destination: destination.name, method: 'GET', path: '/_matrix/federation/v1/version', deadlineMs: DEADLINE_SIGN_MS, signal: destination.abort.signal, responseBytesMax: SIGN_BYTES_MAX });
    return undefined;
  } catch (error) {
    if (!(error instanceof FederationError)) throw error;
    // Whatever it thinks of the question, it is there.
    if (error.kind === 'http' && error.status! < 500) return undefined;
    const isCancelled = error.kind === 'cancelled';
    metrics.transaction(isCancelled ? 'cancelled' : 'failed', 0, (clock.monotonic() - startedAt) / 1000);
    // What need not arrive would be old by the time that it does.
    destination.units.clear();
    return isCancelled ? { kind: 'cancelled' } : failed(deps, destination, { error, startedMs, most: 0, items: [] });
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

function failed(deps: SendDeps, destination: Destination, { error, startedMs, items, most }: Failure): Delivery | undefined {
  const { runtime: { clock, random, logger }, retry, backoffs, metrics } = deps;
  const { name } = destination;
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
  backoffs.note(destination, backoff);
  return { kind: 'failed' };
}

/** It cannot take what it was sent in this form. */
function isAboutContent({ kind, status }: FederationError): boolean {
  return kind === 'http' && (status === 400 || status === 413);
}
