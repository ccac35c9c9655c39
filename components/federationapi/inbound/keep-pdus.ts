/** Keeps events, or word of them, to be tried again later (`staged-pdus.ts`). */
import type { BackoffBounds } from '../../../pkg/federation/backoff.ts';
import type { Clock, Random } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { stagePdus, type StagedPdu } from '../storage/staged-pdus.ts';

export interface KeepingDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'float'>;
  readonly database: Database;
}

const PAUSES: BackoffBounds = { firstMs: 30_000, maxMs: 30 * 60_000, factor: 2, jitter: 0.2 };
const OF_ORIGIN_MAX = 1000;
const ALL_MAX = 10_000;
const NOTHING = new Uint8Array(0);

/** Before the next attempt, in ms. */
export function pauseMs(attempts: number, random: Pick<Random, 'float'>): number {
  const nominal = Math.min(PAUSES.firstMs * PAUSES.factor ** Math.min(attempts, 20), PAUSES.maxMs);
  return Math.round(nominal * (1 + PAUSES.jitter * (random.float() - 0.5)));
}

/** Events of one server; the IDs of those that there is room for, or that were kept before. Rejects with `StorageError`. */
export function keepPdus({ clock, random, database }: KeepingDeps, pdus: readonly StagedPdu[]): Promise<Set<string>> {
  const nowMs = clock.now();
  return stagePdus(database, pdus, { nowMs, retryAtMs: nowMs + pauseMs(0, random), originMax: OF_ORIGIN_MAX, allMax: ALL_MAX });
}

/** Events that were given up: their servers are asked for them once more later. Rejects with `StorageError`. */
export async function keepForLater(deps: KeepingDeps, events: readonly Omit<StagedPdu, 'pdu'>[]): Promise<void> {
  for (const ofOrigin of Map.groupBy(events, ({ origin }) => origin).values()) await keepPdus(deps, ofOrigin.map((event) => ({ ...event, pdu: NOTHING })));
}
