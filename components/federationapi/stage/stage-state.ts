/** Puts a state that another server gave into a stage. */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { NeedJob, NeedTools } from '../needs/job.ts';
import { beginStage, writeStage, type Staged, type StageRow } from '../storage/stages.ts';
import { authReferences, orderByReferences } from './order-events.ts';

export interface StateToStage {
  readonly version: RoomVersion;
  /** Checked, each once: of the state and of its auth chain. */
  readonly events: readonly IntactEvent[];
  /** IDs of the events in the state. */
  readonly stateIds: ReadonlySet<string>;
  /** Of the state, those that this server knew before; they are not among `events`. */
  readonly knownStateIds?: readonly string[];
}

const ATTEMPT_LETTERS = 20;

/** Writes the stage of the job; it is not whole before `finishStage`. Rejects with `StorageError`, `StageLost` and what `job.check` throws. */
export async function stageState(tools: Pick<NeedTools, 'clock' | 'random' | 'database'>, job: NeedJob, state: StateToStage): Promise<Staged> {
  const { clock, random, database } = tools;
  job.check();
  const stage = { stageId: job.runId, attempt: random.token(ATTEMPT_LETTERS) };
  await beginStage(database, { ...stage, nowMs: clock.now() });
  const ordered = await orderByReferences(clock, state.events, authReferences(state.version));
  const known = (state.knownStateIds ?? []).map((eventId, index): StageRow => ({ ordinal: -1 - index, eventId, inState: true, bytes: undefined }));
  const fetched = ordered.map(({ eventId, bytes }, ordinal): StageRow => ({ ordinal, eventId, inState: state.stateIds.has(eventId), bytes }));
  await writeStage(database, { ...stage, clock, check: () => job.check() }, [...known, ...fetched]);
  return { attempt: stage.attempt, events: ordered.length };
}
