import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { deleteOverdueNeeds } from '../storage/needs.ts';
import { deleteOldStage } from '../storage/stages.ts';

const SWEEP_EVERY_MS = 10_000;
/** No need has so much time; what was staged for it has been imported, or never will be. */
const STAGES_KEPT_MS = 3_600_000;
/** In one sweep; what is left waits for the next. */
const STAGES_MAX = 50;

/** Forgets, every few seconds, the needs for which nobody waits any more and old stages. Every process does so; more than one at once do no harm. */
export async function sweep({ runtime: { clock, logger }, database, partitions }: { runtime: Runtime; database: Database; partitions: () => readonly number[] }, signal: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(SWEEP_EVERY_MS, signal);
    if (signal.aborted) return;
    try {
      await deleteOverdueNeeds(database, partitions(), clock.now());
      for (let stages = 0; stages < STAGES_MAX && !signal.aborted && await deleteOldStage(database, clock.now() - STAGES_KEPT_MS); stages += 1) await clock.yield();
    } catch (error) {
      logger.warn({ error }, 'old needs and stages could not be swept; trying again');
    }
  }
}
