/**
 * Looks after the queues of an instance's destinations from time to time: none grows without end, and the numbers tell how much waits. Only destinations that something was queued for or sent to
 * since are counted again, and a few others: those that are gone for long cost nothing here.
 */
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { readBackoffs } from '../storage/destinations.ts';
import { keepQueueShort, type ShortenDeps } from './catch-up.ts';
import type { Destination } from './destination.ts';

export interface SweepDeps extends ShortenDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'logger'>;
  /** Asked at the beginning of each round. */
  readonly destinations: () => readonly Destination[];
  /** Somebody else has ended the pause of a destination, in the tables. */
  readonly reset: (destination: Destination) => void;
}

const SWEEP_MS = 60_000;
/** After a start: what was queued before it may be far too much by now. */
const FIRST_MS = 5000;
/** A failure is in the tables by then (`backoff-writes.ts`). */
const WRITTEN_MS = 10_000;
/** Destinations that are counted again in a round although nothing is known to have changed. */
const OTHERS_A_ROUND = 50;
const NAMES_AT_ONCE = 500;

/** Resolves when `signal` is aborted. */
export async function keepSweeping(deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps.runtime;
  for (let round = 0; !signal.aborted; round += 1) {
    await clock.sleep(round === 0 ? FIRST_MS : SWEEP_MS, signal);
    try {
      const destinations = deps.destinations();
      await shorten(deps, dueIn(round, destinations), signal);
      await findReset(deps, destinations.filter(({ backoff }) => backoff !== undefined && clock.now() - backoff.failingSinceMs > WRITTEN_MS), signal);
    } catch (error) {
      logger.warn({ error }, 'the queues of other servers could not be looked through; trying again');
    }
  }
}

function dueIn(round: number, destinations: readonly Destination[]): Destination[] {
  const groups = Math.ceil(destinations.length / OTHERS_A_ROUND);
  return destinations.filter(({ isDirty, running }, index) => running === undefined && (isDirty || index % groups === round % groups));
}

async function shorten(deps: SweepDeps, destinations: readonly Destination[], signal: AbortSignal): Promise<void> {
  for (const destination of destinations) {
    if (signal.aborted) return;
    destination.isDirty = false;
    destination.counts = await keepQueueShort(deps, destination, deps.runtime.clock.now());
    await deps.runtime.clock.yield();
  }
}

/** An operator's wish reaches the owner of the destination also when the signal of it got lost. */
async function findReset({ database, reset }: SweepDeps, failing: readonly Destination[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < failing.length && !signal.aborted; at += NAMES_AT_ONCE) {
    const some = failing.slice(at, at + NAMES_AT_ONCE);
    const known = await readBackoffs(database, some.map(({ name }) => name));
    for (const destination of some) if (!known.has(destination.name) && destination.running === undefined) reset(destination);
  }
}
