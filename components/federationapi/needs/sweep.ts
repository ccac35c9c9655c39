import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { untilLook } from '../../../pkg/runtime/until-look.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { keepForLater } from '../inbound/keep-pdus.ts';
import { deleteOverdueNeeds, readOverdueNeeds, type OverdueNeed } from '../storage/needs.ts';
import { eventsGivenUp } from './given-up.ts';
import { deleteOldStage } from '../storage/stages.ts';

const SWEEP_EVERY_MS = 10_000;
/** In one sweep; what is left waits for the next. */
const OVERDUE_ROUNDS_MAX = 10;
const OVERDUE_AT_ONCE = 50;
/** No need has so much time; what was staged for it has been imported, or never will be. */
const STAGES_KEPT_MS = 3_600_000;
/** In one sweep; what is left waits for the next. */
const STAGES_MAX = 50;

export interface SweepDeps {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly partitions: () => readonly number[];
}

/** Forgets, every few seconds, the needs for which nobody waits any more and old stages. Every process does so; more than one at once do no harm. */
export async function sweep(deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { runtime: { clock, logger }, database } = deps;
  for (;;) {
    await clock.sleep(untilLook(clock, SWEEP_EVERY_MS), signal);
    if (signal.aborted) return;
    try {
      for (let rounds = 0; rounds < OVERDUE_ROUNDS_MAX && !signal.aborted && await sweepOverdue(deps); rounds += 1) await clock.yield();
      for (let stages = 0; stages < STAGES_MAX && !signal.aborted && await deleteOldStage(database, clock.now() - STAGES_KEPT_MS); stages += 1) await clock.yield();
    } catch (error) {
      logger.warn({ error }, 'old needs and stages could not be swept; trying again');
    }
  }
}

/** Whether there may be more. An event whose need nobody got to in time is given up by now; its sender does not send it again, and so it is fetched once more later. */
async function sweepOverdue({ runtime: { clock, random }, database, partitions }: SweepDeps): Promise<boolean> {
  const nowMs = clock.now();
  const overdue = await readOverdueNeeds(database, partitions(), { nowMs, limit: OVERDUE_AT_ONCE });
  await keepForLater({ clock, random, database }, overdue.flatMap(givenUp));
  await deleteOverdueNeeds(database, overdue, nowMs);
  return overdue.length === OVERDUE_AT_ONCE;
}

function givenUp({ need: record }: OverdueNeed): { origin: string; roomId: string; eventId: string }[] {
  const { roomId, need } = roomOutputCodec.decode(record);
  return need ? eventsGivenUp(need).map((event) => ({ ...event, roomId })) : [];
}
