/** Staged states in the tables: written by one attempt at a time, chunk by chunk, so that nobody else who writes waits long. */
import { assert } from '../../../pkg/assert/assert.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Database, SqlValue, Transaction } from '../../../pkg/storage/database.ts';

/** An event of a stage; `bytes` is its canonical JSON, or undefined for one of the state that this server knew before. */
export interface StageRow {
  readonly ordinal: number;
  readonly eventId: string;
  readonly inState: boolean;
  readonly bytes: Uint8Array | undefined;
}

/** A stage that is written, but not whole before `finishStage`. */
export interface Staged {
  readonly attempt: string;
  /** Number of its events that were not known here. */
  readonly events: number;
}

/** A stage that is whole. */
export interface FinishedStage {
  /** Number of its events that were not known here. */
  readonly events: number;
  /** Encoded; what follows the import. */
  readonly answer: Uint8Array;
}

/** Another attempt has begun the stage anew. */
export class StageLost extends Error {
  override readonly name = 'StageLost';
}

const CHUNK_ROWS = 200;
const CHUNK_BYTES = 1024 * 1024;
/** Events are encoded between two looks of the event loop at everything else. */
const ENCODED_AT_ONCE = 20;
const DELETED_AT_ONCE = 1000;

/**
 * Begins the stage anew for `attempt`: what other attempts have written of it goes, and they can write no more. Throws `StageLost` when another attempt has made it whole: somebody imports it
 * already, and would find it empty.
 */
export async function beginStage(database: Pick<Database, 'query' | 'transaction'>, stage: { stageId: string; attempt: string; nowMs: number }): Promise<void> {
  const { changes } = await database.transaction((tx) => tx.insertMany({
    into: 'stages', columns: ['stage_id', 'attempt', 'events', 'answer', 'created_at'], rows: [[stage.stageId, stage.attempt, 0, null, stage.nowMs]],
    onConflict: 'ON CONFLICT (stage_id) DO UPDATE SET attempt = excluded.attempt, events = 0, created_at = excluded.created_at WHERE stages.answer IS NULL',
  }));
  if (changes === 0) throw new StageLost(`the stage ${stage.stageId} is whole already`);
  // Who pauses here may find another attempt's events when it goes on.
  await deleteEvents(database, stage.stageId, (tx) => fence(tx, stage));
}

/** Writes the rows in chunks. Throws `StageLost`, and what `check` throws, which is called before each chunk. */
export async function writeStage(database: Database, stage: { stageId: string; attempt: string; clock: Clock; check: () => void }, rows: readonly StageRow[]): Promise<void> {
  let chunk: SqlValue[][] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (chunk.length === 0) return;
    stage.check();
    await database.transaction(async (tx) => {
      await fence(tx, stage);
      await tx.insertMany({ into: 'staged_events', columns: ['stage_id', 'ordinal', 'event_id', 'in_state', 'json'], rows: chunk });
    });
    chunk = [];
    bytes = 0;
  };
  for (const [index, row] of rows.entries()) {
    chunk.push([stage.stageId, row.ordinal, row.eventId, row.inState ? 1 : 0, row.bytes ?? null]);
    bytes += row.bytes?.byteLength ?? 0;
    if (chunk.length >= CHUNK_ROWS || bytes >= CHUNK_BYTES) await flush();
    if (index % ENCODED_AT_ONCE === ENCODED_AT_ONCE - 1) await stage.clock.yield();
  }
  await flush();
}

/** The stage is whole: `events` are to be imported, then comes `answer`. Throws `StageLost`. */
export async function finishStage(database: Database, stage: { stageId: string; attempt: string }, finished: FinishedStage): Promise<void> {
  await database.transaction(async (tx) => {
    await fence(tx, stage);
    await tx.run('UPDATE stages SET events = ?, answer = ? WHERE stage_id = ?', [finished.events, finished.answer, stage.stageId]);
  });
}

/** The stage when it is whole. */
export async function readFinishedStage(database: Database, stageId: string): Promise<FinishedStage | undefined> {
  const [row] = await database.query<{ events: number; answer: Uint8Array }>('SELECT events, answer FROM stages WHERE stage_id = ? AND answer IS NOT NULL', [stageId]);
  return row;
}

/** Forgets one stage from before `beforeMs`; whether there was one. Any process may do it. */
export async function deleteOldStage(database: Database, beforeMs: number): Promise<boolean> {
  const [oldest] = await database.query<{ stage_id: string; attempt: string }>('SELECT stage_id, attempt FROM stages WHERE created_at < ? ORDER BY created_at LIMIT 1', [beforeMs]);
  if (oldest === undefined) return false;
  const { stage_id: stageId, attempt } = oldest;
  await deleteEvents(database, stageId, async () => undefined);
  await database.transaction((tx) => tx.run('DELETE FROM stages WHERE stage_id = ? AND attempt = ? AND created_at < ?', [stageId, attempt, beforeMs]));
  return true;
}

/** `check` may throw; it is asked in the transaction of each deletion. */
async function deleteEvents(database: Pick<Database, 'query' | 'transaction'>, stageId: string, check: (tx: Transaction) => Promise<void>): Promise<void> {
  const [span] = await database.query<{ first: number | null; last: number | null }>('SELECT MIN(ordinal) AS first, MAX(ordinal) AS last FROM staged_events WHERE stage_id = ?', [stageId]);
  if (span === undefined || span.first === null || span.last === null) return;
  for (let from = span.first; from <= span.last; from += DELETED_AT_ONCE) {
    const to = from + DELETED_AT_ONCE;
    await database.transaction(async (tx) => {
      await check(tx);
      await tx.run('DELETE FROM staged_events WHERE stage_id = ? AND ordinal >= ? AND ordinal < ?', [stageId, from, to]);
    });
  }
}

/** Only the attempt that began the stage last writes it. The row stays locked until the transaction ends. */
async function fence(tx: Transaction, { stageId, attempt }: { stageId: string; attempt: string }): Promise<void> {
  const { changes } = await tx.run('UPDATE stages SET attempt = ? WHERE stage_id = ? AND attempt = ?', [attempt, stageId, attempt]);
  assert(changes <= 1, 'a stage has one row');
  if (changes === 0) throw new StageLost(`the stage ${stageId} was begun anew by somebody else`);
}
