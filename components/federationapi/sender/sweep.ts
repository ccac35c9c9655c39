/** Looks through the queues of an instance's destinations from time to time: none grows without end, and the numbers tell how many events wait. */
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { keepQueueShort } from './catch-up.ts';
import type { Destination } from './destination.ts';
import type { SenderMetrics } from './sender-metrics.ts';

export interface SweepDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'logger'>;
  readonly database: Database;
  readonly metrics: SenderMetrics;
}

const SWEEP_MS = 60_000;

/** Resolves when `signal` is aborted. `destinations`: asked at the beginning of each round. */
export async function keepSweeping(deps: SweepDeps, destinations: () => readonly Destination[], signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps.runtime;
  while (!signal.aborted) {
    await clock.sleep(SWEEP_MS, signal);
    try {
      await sweep(deps, destinations(), signal);
    } catch (error) {
      logger.warn({ error }, 'the queues of other servers could not be looked through; trying again');
    }
  }
}

async function sweep({ database, metrics, runtime: { clock } }: SweepDeps, destinations: readonly Destination[], signal: AbortSignal): Promise<void> {
  let events = 0;
  for (const destination of destinations) {
    if (signal.aborted) return;
    events += await keepQueueShort({ database, metrics }, destination);
    await clock.yield();
  }
  metrics.queued(events);
}
