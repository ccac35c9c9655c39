/**
 * Durable timers: what must happen at a time even if the process dies before (delayed events, retries, retention). A timer is a row in its component's
 * database. It fires in one transaction with its deletion, under the fence of its partition, so its effects happen once.
 *
 * A timer belongs to a partition and is fired by the partition's owner. (partition, kind, key) names it: setting it again moves it.
 */
import type { Database, Migration, Transaction } from '../storage/database.ts';
import { deleteTimer, fireDueTimers, type DurableTimer, type TimerFiring } from './fire-timers.ts';
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

export type { DurableTimer };

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

/** After a failure the table is looked at again after this long. */
const AFTER_FAILURE_MS = 1000;
/** After a timer was set, the table is looked at this often for this long: the transaction that sets it may commit after it is due. */
const AFTER_SET = { everyMs: 250, forMs: 1000 };
const NEXT = 'SELECT partition, min(due_at) AS due_at FROM timers WHERE partition IN (??) GROUP BY partition ORDER BY partition';

export function createDurableTimers(options: DurableTimerOptions): DurableTimers {
  const { database, runtime } = options;
  const { clock, logger } = runtime;
  const firing: TimerFiring = { ...options, batch: options.batch ?? 100 };
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

  /** Looks at every partition once; says when the table is to be looked at again. */
  async function round(signal: AbortSignal): Promise<number> {
    if (hintAt <= clock.now()) hintAt = Number.POSITIVE_INFINITY;
    const partitions = options.partitions();
    if (partitions.length === 0) return Number.POSITIVE_INFINITY;
    let againAt = Number.POSITIVE_INFINITY;
    for (const next of await database.queryIn<{ partition: number; due_at: number }>(NEXT, [], partitions)) {
      if (signal.aborted) break;
      if (next.due_at > clock.now()) againAt = Math.min(againAt, next.due_at);
      else againAt = Math.min(againAt, clock.now() + ((await fireDueTimers(firing, next.partition)) ? AFTER_SET.everyMs : 0));
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
      return clock.now() + AFTER_FAILURE_MS;
    }
  }

  return {
    set,
    cancel: deleteTimer,
    start: () => void (task ??= runtime.tasks.spawn('durable timers', loop)),
    nudge: () => wake.abort(),
    stop: async () => task?.stop(),
  };
}
