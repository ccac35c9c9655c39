/**
 * When the next round of a runner begins. A round costs its statements and its commit however little it takes, and under load something is always waiting: rounds that begin at once take a handful of records each. So
 * after a round a runner lets as many come as make the next one worth it, or the time pass in which they would have. Whoever sends one after the other waits for nothing: a round takes longer than its share of the time.
 *
 * Where the cores are all busy, and the runner often has to wait for one, what a round costs is time that all others lack: there it lets more come (docs/decisions/0015-cores-that-are-short.md).
 */
import { watchCores } from '../runtime/core-watch.ts';
import type { Clock } from '../runtime/runtime.ts';
import type { Intake } from './intake.ts';

/** Of a machine with time to spare, and of one without. */
const FREE = { recordsWorth: 16, msMax: 15 } as const;
const SHORT = { recordsWorth: 200, msMax: 160 } as const;
/** Where more than `FREE.msMax` may pass from the beginning of a round to that of the next one: so many times what the round took. */
const ROUNDS_MAX = 4;
/** From the beginning of a round to that of the next one, for each record that it had. */
const MS_PER_RECORD = 1.5;

export interface Pace {
  /** Before a round, when something waits. Resolves at once when `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void>;
  /** At its end: when it began (ms, monotonic), and how many records it had. */
  note(startedAt: number, records: number): void;
}

export function createPace(clock: Clock, intake: Pick<Intake, 'ready' | 'nudge'>): Pace {
  const cores = watchCores(clock);
  let restUntil = 0;
  let recordsWorth: number = FREE.recordsWorth;
  return {
    async wait(signal) {
      // Lets everything that is ready to arrive arrive.
      await clock.yield();
      const restMs = restUntil - clock.monotonic();
      if (restMs < 1) return;
      const timer = clock.timer(restMs, () => intake.nudge());
      await intake.ready(signal, recordsWorth);
      timer.cancel();
    },
    note(startedAt, records) {
      const limits = cores.areShort() ? SHORT : FREE;
      recordsWorth = limits.recordsWorth;
      const tookMs = clock.monotonic() - startedAt;
      restUntil = startedAt + Math.min(limits.msMax, records * MS_PER_RECORD, Math.max(FREE.msMax, ROUNDS_MAX * tookMs));
    },
  };
}
