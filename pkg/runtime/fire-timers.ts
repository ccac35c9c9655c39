/** Firing what is due in one partition: in batches, each in one transaction, and round what cannot be fired. */
import { StorageError, type Database, type SqlRow, type Transaction } from '../storage/database.ts';
import type { Runtime } from './runtime.ts';

export interface DurableTimer {
  readonly partition: number;
  /** What kind of thing is due, for example `delayed-event`; the owner's `fire` decides by it. */
  readonly kind: string;
  /** Names it among its kind. */
  readonly key: string;
  /** Wall-clock time in ms. */
  readonly dueAt: number;
  readonly payload: Uint8Array;
}

export interface TimerFiring {
  readonly database: Database;
  readonly runtime: Runtime;
  readonly fence: (tx: Transaction, partition: number) => Promise<void>;
  readonly fire: (tx: Transaction, timer: DurableTimer) => Promise<void>;
  /** Most timers in one transaction. */
  readonly batch: number;
}

interface TimerRow extends SqlRow {
  kind: string;
  key: string;
  due_at: number;
  attempts: number;
  payload: Uint8Array;
}

const PUT_OFF_MS_MIN = 1000;
const PUT_OFF_MS_MAX = 3_600_000;
/** Batches of one partition before the others get their turn. */
const BATCHES_IN_A_ROW = 10;
const DUE = 'SELECT kind, key, due_at, attempts, payload FROM timers WHERE partition = ? AND due_at <= ? ORDER BY due_at, kind, key LIMIT ?';
const DELETE = 'DELETE FROM timers WHERE partition = ? AND kind = ? AND key = ?';

/** The fence has thrown: the partition is another's, no timer is to blame. */
class PartitionLost extends Error {
  override readonly name = 'PartitionLost';
}

/** Fires what is due in the partition; false when there may be more. Throws `StorageError` when the database is away. */
export async function fireDueTimers(firing: TimerFiring, partition: number): Promise<boolean> {
  for (let i = 0; i < BATCHES_IN_A_ROW; i += 1) {
    try {
      if ((await fireBatch(firing, partition, firing.batch)) < firing.batch) return true;
    } catch (error) {
      if (error instanceof PartitionLost) {
        firing.runtime.logger.info({ partition }, 'timers were left to the new owner of their partition');
        return true;
      }
      if (isTransient(error)) throw error;
      await fireSingly(firing, partition);
    }
  }
  return false;
}

/** Deletes a timer; false when there was none. */
export async function deleteTimer(tx: Transaction, timer: Pick<DurableTimer, 'partition' | 'kind' | 'key'>): Promise<boolean> {
  return (await tx.run(DELETE, [timer.partition, timer.kind, timer.key])).changes > 0;
}

/** Up to `limit` timers in one transaction; says how many. */
async function fireBatch(firing: TimerFiring, partition: number, limit: number): Promise<number> {
  return firing.database.transaction(async (tx) => {
    await fence(firing, tx, partition);
    const rows = await tx.query<TimerRow>(DUE, [partition, firing.runtime.clock.now(), limit]);
    for (const row of rows) {
      // One that fired before it may have cancelled or moved it.
      const { changes } = await tx.run(`${DELETE} AND due_at = ?`, [partition, row.kind, row.key, row.due_at]);
      if (changes > 0) await firing.fire(tx, { partition, kind: row.kind, key: row.key, dueAt: row.due_at, payload: row.payload });
    }
    return rows.length;
  });
}

async function fence(firing: TimerFiring, tx: Transaction, partition: number): Promise<void> {
  try {
    await firing.fence(tx, partition);
  } catch (cause) {
    throw isTransient(cause) ? cause : new PartitionLost(`partition ${partition}`, { cause });
  }
}

/** A timer of the batch cannot be fired: finds it by firing them one by one, and puts it off. */
async function fireSingly(firing: TimerFiring, partition: number): Promise<void> {
  for (let i = 0; i < firing.batch; i += 1) {
    const [first] = await firing.database.query<TimerRow>(DUE, [partition, firing.runtime.clock.now(), 1]);
    if (first === undefined) return;
    try {
      await fireBatch(firing, partition, 1);
    } catch (error) {
      if (isTransient(error) || error instanceof PartitionLost) throw error;
      await putOff(firing, partition, { row: first, error });
    }
  }
}

async function putOff(firing: TimerFiring, partition: number, failed: { row: TimerRow; error: unknown }): Promise<void> {
  const { clock, logger } = firing.runtime;
  const { row, error } = failed;
  const delayMs = Math.min(PUT_OFF_MS_MIN * 2 ** row.attempts, PUT_OFF_MS_MAX);
  logger.error({ partition, kind: row.kind, key: row.key, attempts: row.attempts + 1, delayMs, error }, 'timer could not be fired and was put off');
  await firing.database.transaction(async (tx) => {
    await fence(firing, tx, partition);
    await tx.run('UPDATE timers SET due_at = ?, attempts = attempts + 1 WHERE partition = ? AND kind = ? AND key = ? AND due_at = ?',
      [clock.now() + delayMs, partition, row.kind, row.key, row.due_at]);
  });
}

/** The database is away, or busy: no timer is to blame. */
function isTransient(error: unknown): boolean {
  return error instanceof StorageError && error.kind !== 'bug';
}
