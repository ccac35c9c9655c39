/**
 * Durable timers: what must happen at a time even if the process dies before (delayed events, retries, retention). A timer is a row in its component's
 * database. It fires in one transaction with its deletion, under the fence of its partition, so its effects happen once.
 *
 * A timer belongs to a partition and is fired by the partition's owner. (partition, kind, key) names it: setting it again moves it.
 */
import { StorageError, type Database, type Migration, type SqlRow, type Transaction } from '../storage/database.ts';
import type { Runtime, Task } from './runtime.ts';

/** To be run under a namespace of their own, for example `timers`, in every database that has timers. */
export const timerMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'timers',
    statements: [
      `CREATE TABLE timers (partition BIGINT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, due_at BIGINT NOT NULL, attempts BIGINT NOT NULL,
         payload BLOB NOT NULL, PRIMARY KEY (partition, kind, key))`,
      'CREATE INDEX timers_by_due ON timers (partition, due_at)',
    ],
  },
];

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

export interface DurableTimerOptions {
  readonly database: Database;
  readonly runtime: Runtime;
  /** The partitions that this process owns now. */
  readonly partitions: () => readonly number[];
  /** Called first in each transaction that fires; throws when the partition is not ours any more. */
  readonly fence: (tx: Transaction, partition: number) => Promise<void>;
  /**
   * The effects of a timer, within `tx`. The timer is deleted already, so it may set itself again. When it throws, the timer is put off
   * (1 s, doubled each time, up to an hour) and the others go on.
   */
  readonly fire: (tx: Transaction, timer: DurableTimer) => Promise<void>;
  /** Most timers fired in one transaction. Default 100. */
  readonly batch?: number;
  /** How often the table is looked at when nothing is known to be due: finds the timers of partitions taken over. Default 5 s. */
  readonly pollMs?: number;
}

export interface DurableTimers {
  /** Sets or moves a timer of a partition that this process owns; it counts when `tx` is committed. */
  set(tx: Transaction, timer: DurableTimer): Promise<void>;
  /** False when there was no such timer (any more). */
  cancel(tx: Transaction, timer: Pick<DurableTimer, 'partition' | 'kind' | 'key'>): Promise<boolean>;
  start(): void;
  /** Looks at the table now, for example because a partition was taken over. */
  nudge(): void;
  stop(): Promise<void>;
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
/** After a timer was set, the table is looked at this often for this long: the transaction that sets it may commit after it is due. */
const AFTER_SET = { everyMs: 250, forMs: 1000 };
/** Batches of one partition before the others get their turn. */
const BATCHES_IN_A_ROW = 10;
const NEXT = 'SELECT partition, min(due_at) AS due_at FROM timers WHERE partition IN (??) GROUP BY partition ORDER BY partition';
const DUE = 'SELECT kind, key, due_at, attempts, payload FROM timers WHERE partition = ? AND due_at <= ? ORDER BY due_at, kind, key LIMIT ?';
const DELETE = 'DELETE FROM timers WHERE partition = ? AND kind = ? AND key = ?';

/** The fence has thrown: the partition is another's, no timer is to blame. */
class PartitionLost extends Error {
  override readonly name = 'PartitionLost';
}

export function createDurableTimers(options: DurableTimerOptions): DurableTimers {
  const { database, runtime } = options;
  const { clock, logger } = runtime;
  const batch = options.batch ?? 100;
  const pollMs = options.pollMs ?? 5000;
  /** The earliest timer set by this process that is still to come. */
  let hintAt = Number.POSITIVE_INFINITY;
  let lastSetAt = Number.NEGATIVE_INFINITY;
  let sleepingUntil = Number.POSITIVE_INFINITY;
  let wake = new AbortController();
  let task: Task | undefined;

  async function set(tx: Transaction, timer: DurableTimer): Promise<void> {
    await tx.insertMany({
      into: 'timers',
      columns: ['partition', 'kind', 'key', 'due_at', 'attempts', 'payload'],
      rows: [[timer.partition, timer.kind, timer.key, timer.dueAt, 0, timer.payload]],
      onConflict: 'ON CONFLICT (partition, kind, key) DO UPDATE SET due_at = excluded.due_at, attempts = 0, payload = excluded.payload',
    });
    lastSetAt = clock.now();
    hintAt = Math.min(hintAt, timer.dueAt);
    if (timer.dueAt < sleepingUntil) wake.abort();
  }

  async function cancel(tx: Transaction, timer: Pick<DurableTimer, 'partition' | 'kind' | 'key'>): Promise<boolean> {
    return (await tx.run(DELETE, [timer.partition, timer.kind, timer.key])).changes > 0;
  }

  async function fence(tx: Transaction, partition: number): Promise<void> {
    try {
      await options.fence(tx, partition);
    } catch (cause) {
      throw isTransient(cause) ? cause : new PartitionLost(`partition ${partition}`, { cause });
    }
  }

  /** Fires up to `limit` due timers of the partition in one transaction; says how many. */
  async function fireDue(partition: number, limit: number): Promise<number> {
    return database.transaction(async (tx) => {
      await fence(tx, partition);
      const rows = await tx.query<TimerRow>(DUE, [partition, clock.now(), limit]);
      for (const row of rows) {
        // One that fired before it may have cancelled or moved it.
        const { changes } = await tx.run(`${DELETE} AND due_at = ?`, [partition, row.kind, row.key, row.due_at]);
        if (changes > 0) await options.fire(tx, { partition, kind: row.kind, key: row.key, dueAt: row.due_at, payload: row.payload });
      }
      return rows.length;
    });
  }

  /** A timer of the batch cannot be fired: finds it by firing them one by one, and puts it off. */
  async function fireSingly(partition: number): Promise<void> {
    for (let i = 0; i < batch; i += 1) {
      const first = (await database.query<TimerRow>(DUE, [partition, clock.now(), 1]))[0];
      if (first === undefined) return;
      try {
        await fireDue(partition, 1);
      } catch (error) {
        if (isTransient(error) || error instanceof PartitionLost) throw error;
        await putOff(partition, first, error);
      }
    }
  }

  async function putOff(partition: number, row: TimerRow, error: unknown): Promise<void> {
    const delayMs = Math.min(PUT_OFF_MS_MIN * 2 ** row.attempts, PUT_OFF_MS_MAX);
    logger.error({ partition, kind: row.kind, key: row.key, attempts: row.attempts + 1, delayMs, error }, 'timer could not be fired and was put off');
    await database.transaction(async (tx) => {
      await fence(tx, partition);
      await tx.run('UPDATE timers SET due_at = ?, attempts = attempts + 1 WHERE partition = ? AND kind = ? AND key = ? AND due_at = ?',
        [clock.now() + delayMs, partition, row.kind, row.key, row.due_at]);
    });
  }

  /** Fires what is due in the partition; false when there may be more. */
  async function empty(partition: number): Promise<boolean> {
    for (let i = 0; i < BATCHES_IN_A_ROW; i += 1) {
      try {
        if ((await fireDue(partition, batch)) < batch) return true;
      } catch (error) {
        if (error instanceof PartitionLost) {
          logger.info({ partition }, 'timers were left to the new owner of their partition');
          return true;
        }
        if (isTransient(error)) throw error;
        await fireSingly(partition);
      }
    }
    return false;
  }

  /** Looks at every partition once; says when the table is to be looked at again. */
  async function round(signal: AbortSignal): Promise<number> {
    if (hintAt <= clock.now()) hintAt = Number.POSITIVE_INFINITY;
    const partitions = options.partitions();
    if (partitions.length === 0) return Number.POSITIVE_INFINITY;
    let againAt = Number.POSITIVE_INFINITY;
    for (const next of await database.queryIn<{ partition: number; due_at: number }>(NEXT, [], partitions)) {
      if (signal.aborted) break;
      if (next.due_at > clock.now()) againAt = Math.min(againAt, next.due_at);
      else againAt = Math.min(againAt, clock.now() + ((await empty(next.partition)) ? AFTER_SET.everyMs : 0));
    }
    return againAt;
  }

  async function loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      wake = new AbortController();
      sleepingUntil = Number.NEGATIVE_INFINITY;
      sleepingUntil = await nextLook(signal);
      await clock.sleep(Math.max(1, sleepingUntil - clock.now()), AbortSignal.any([signal, wake.signal]));
    }
  }

  async function nextLook(signal: AbortSignal): Promise<number> {
    try {
      const againAt = await round(signal);
      const lately = clock.now() - lastSetAt < AFTER_SET.forMs ? clock.now() + AFTER_SET.everyMs : Number.POSITIVE_INFINITY;
      return Math.min(againAt, hintAt, lately, clock.now() + pollMs);
    } catch (error) {
      // A database that is away comes back; the timers stay due.
      logger.warn({ error }, 'durable timers could not be looked at');
      return clock.now() + PUT_OFF_MS_MIN;
    }
  }

  return {
    set,
    cancel,
    start: () => void (task ??= runtime.tasks.spawn('durable timers', loop)),
    nudge: () => wake.abort(),
    stop: async () => task?.stop(),
  };
}

/** The database is away, or busy: no timer is to blame. */
function isTransient(error: unknown): boolean {
  return error instanceof StorageError && error.kind !== 'bug';
}
