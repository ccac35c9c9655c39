/** How long a destination is left alone after it failed: exponential, bounded, with jitter. Pure: time and chance are arguments. */

export interface BackoffBounds {
  /** Pause after the first failure, in ms. */
  readonly firstMs: number;
  /** Longest pause, in ms. */
  readonly maxMs: number;
  /** What each further failure multiplies the pause with; at least 1. */
  readonly factor: number;
  /** Share of the pause, 0 to 1, that chance takes away: servers that failed together do not come back together. */
  readonly jitter: number;
}

export const BACKOFF_DEFAULT: BackoffBounds = { firstMs: 2000, maxMs: 3_600_000, factor: 2, jitter: 0.3 };

/** What is kept about a destination that fails; a healthy one has none. */
export interface Backoff {
  /** Failures in a row. */
  readonly failures: number;
  /** The pause before chance shortened it, in ms. */
  readonly pauseMs: number;
  /** When the pause began. */
  readonly pausedAtMs: number;
  /** Not before this time (ms since the epoch). */
  readonly retryAtMs: number;
  /** When the first failure of the row was. */
  readonly failingSinceMs: number;
}

/**
 * After one more failure at `nowMs`. `random` is in [0, 1). A destination that names its own pause (`retryAfterMs`) gets it, up to the longest. A failure of a request
 * that was sent before the pause began (several were under way) does not lengthen it.
 */
export function afterFailure(before: Backoff | undefined, bounds: BackoffBounds, at: { nowMs: number; startedMs?: number; random: number; retryAfterMs?: number }): Backoff {
  if (before !== undefined && at.startedMs !== undefined && at.startedMs < before.pausedAtMs) return before;
  const grown = before === undefined ? bounds.firstMs : Math.max(before.pauseMs, 1) * bounds.factor;
  const pauseMs = Math.min(grown, bounds.maxMs);
  const shortened = pauseMs * (1 - bounds.jitter * at.random);
  const waitMs = Math.min(Math.max(shortened, at.retryAfterMs ?? 0), bounds.maxMs);
  return {
    failures: (before?.failures ?? 0) + 1,
    pauseMs,
    pausedAtMs: at.nowMs,
    retryAtMs: at.nowMs + Math.round(waitMs),
    failingSinceMs: before?.failingSinceMs ?? at.nowMs,
  };
}

/** How long to wait from `nowMs`, in ms; 0 when the destination may be tried. */
export function waitMs(backoff: Backoff | undefined, nowMs: number): number {
  return backoff === undefined ? 0 : Math.max(0, backoff.retryAtMs - nowMs);
}

/**
 * After the destination asked us something, or answered: it lives, so the pause is over. One that only asked may still not be reachable from here, so its
 * row of failures is kept, and the next failure pauses longer.
 */
export function afterContact(before: Backoff | undefined, contact: { nowMs: number; answered: boolean }): Backoff | undefined {
  if (before === undefined || contact.answered) return undefined;
  return { ...before, retryAtMs: Math.min(before.retryAtMs, contact.nowMs) };
}
