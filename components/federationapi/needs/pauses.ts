/** Servers that failed lately and are left alone for a while, in memory: needs are short-lived, and each process finds out for itself. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { afterContact, afterFailure, waitMs, type Backoff, type BackoffBounds } from '../../../pkg/federation/backoff.ts';
import { isDestinationFailing } from '../../../pkg/federation/transport.ts';
import type { Clock, Random } from '../../../pkg/runtime/runtime.ts';

export interface Pauses {
  /** How long the server is to be left alone, in ms; 0: not at all. */
  waitMs(destination: string): number;
  /** A request that was sent at `startedMs` failed; errors that say nothing about the server as a whole are passed over. */
  failed(destination: string, error: unknown, startedMs: number): void;
  answered(destination: string): void;
  /** It has asked us something: it may be asked now, but whether it can be reached has to be seen. */
  contacted(destination: string): void;
  /** Whether the server has failed so little that it may well be back in a moment. */
  mayRecover(destination: string): boolean;
}

/** Needs wait for their answers, so the longest pause is short; it suffices that a server that is gone is not asked for every event. */
const BOUNDS: BackoffBounds = { firstMs: 1000, maxMs: 10_000, factor: 2, jitter: 0.3 };
const SERVERS_MAX = 10_000;
/** In a row; with the pauses between them they take some seconds at least. */
const FAILURES_FRESH = 4;

export function createPauses({ clock, random }: { clock: Clock; random: Random }): Pauses {
  const pauses = createRecent<Backoff>(SERVERS_MAX);
  return {
    waitMs: (destination) => waitMs(pauses.get(destination), clock.now()),
    failed(destination, error, startedMs) {
      if (!isDestinationFailing(error)) return;
      pauses.set(destination, afterFailure(pauses.get(destination), BOUNDS, { nowMs: clock.now(), startedMs, random: random.float() }));
    },
    answered: (destination) => pauses.delete(destination),
    contacted(destination) {
      const after = afterContact(pauses.get(destination), { nowMs: clock.now(), answered: false });
      if (after !== undefined) pauses.set(destination, after);
    },
    mayRecover: (destination) => (pauses.get(destination)?.failures ?? 0) < FAILURES_FRESH,
  };
}
