/** Needs of the roomserver that are not answered yet, in the tables. */
import type { Database, SqlRow, Transaction } from '../../../pkg/storage/database.ts';

/** A need as it was told once. */
export interface ToldNeed {
  readonly needId: string;
  /** Wall-clock ms after which nobody waits. */
  readonly deadlineMs: number;
}

export interface NewNeed extends ToldNeed {
  readonly partition: number;
  readonly roomId: string;
  /** Server that will be asked first; empty: none is known. */
  readonly destination: string;
  /** The record of room-output, encoded. */
  readonly record: Uint8Array;
}

export interface WaitingNeed extends SqlRow {
  readonly need_id: string;
  readonly partition: number;
  readonly room_id: string;
  readonly destination: string;
  readonly deadline: number;
  readonly attempts: number;
  readonly retry_at: number;
}

/**
 * The first few of each destination, the first of all of them first, and among these those whose time is over first: however many wait for one server, they hide none that wait for another.
 * The place is a constant of the text.
 */
const WAITING = `SELECT need_id, partition, room_id, destination, deadline, attempts, retry_at FROM
  (SELECT need_id, partition, room_id, destination, deadline, attempts, retry_at, ROW_NUMBER() OVER (PARTITION BY destination ORDER BY retry_at, deadline, need_id) AS place
   FROM needs WHERE deadline > ? AND partition IN (??)) AS queued WHERE place <= 12 ORDER BY place, deadline, need_id LIMIT 500`;

/** Keeps needs that are not there yet. One that is told again with a later deadline is a new one: the roomserver gave up the first, and has the same event before it again. */
export async function insertNeeds(tx: Transaction, needs: readonly NewNeed[]): Promise<void> {
  if (needs.length === 0) return;
  await tx.insertMany({
    into: 'needs', columns: ['need_id', 'partition', 'room_id', 'destination', 'deadline', 'need', 'attempts', 'retry_at'],
    rows: needs.map((need) => [need.needId, need.partition, need.roomId, need.destination, need.deadlineMs, need.record, 0, 0]),
    onConflict: `ON CONFLICT (need_id) DO UPDATE SET deadline = excluded.deadline, need = excluded.need, attempts = 0, retry_at = 0
      WHERE needs.deadline < excluded.deadline`,
  });
}

/** What of these partitions waits at `nowMs`, also what must wait on after a failed attempt (`retry_at`). */
export async function readWaitingNeeds(database: Database, partitions: readonly number[], nowMs: number): Promise<WaitingNeed[]> {
  return partitions.length === 0 ? [] : database.queryIn<WaitingNeed>(WAITING, [nowMs], partitions);
}

/** Counts one more attempt, made before it begins, so that an attempt that takes the process down counts too. The record; undefined when the need is gone. */
export async function beginAttempt(database: Database, { needId, deadlineMs }: ToldNeed, retryAtMs: number): Promise<Uint8Array | undefined> {
  return database.transaction(async (tx) => {
    const { changes } = await tx.run('UPDATE needs SET attempts = attempts + 1, retry_at = ? WHERE need_id = ? AND deadline = ?', [retryAtMs, needId, deadlineMs]);
    if (changes === 0) return undefined;
    return (await tx.query<{ need: Uint8Array }>('SELECT need FROM needs WHERE need_id = ?', [needId]))[0]?.need;
  });
}

export async function deleteNeed(database: Database, { needId, deadlineMs }: ToldNeed): Promise<void> {
  await database.transaction((tx) => tx.run('DELETE FROM needs WHERE need_id = ? AND deadline = ?', [needId, deadlineMs]));
}

export interface OverdueNeed extends SqlRow {
  readonly need_id: string;
  /** The record of room-output, encoded. */
  readonly need: Uint8Array;
}

/** Needs of these partitions for which nobody waits any more, at most `limit`. They were not answered. */
export async function readOverdueNeeds(database: Database, partitions: readonly number[], { nowMs, limit }: { nowMs: number; limit: number }): Promise<OverdueNeed[]> {
  return partitions.length === 0 ? [] : database.queryIn<OverdueNeed>(`SELECT need_id, need FROM needs WHERE deadline <= ? AND partition IN (??) LIMIT ${limit}`, [nowMs], partitions);
}

/** Forgets those of the needs for which still nobody waits. */
export async function deleteOverdueNeeds(database: Database, overdue: readonly OverdueNeed[], nowMs: number): Promise<void> {
  if (overdue.length === 0) return;
  await database.transaction(async (tx) => {
    for (const { need_id: needId } of overdue) await tx.run('DELETE FROM needs WHERE need_id = ? AND deadline <= ?', [needId, nowMs]);
  });
}
