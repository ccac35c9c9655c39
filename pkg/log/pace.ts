/**
 * When the next round of a runner begins. A round costs its statements and its commit however little it takes, and under load something is always waiting: rounds that begin at once take a handful of records each. So
 * after a round a runner lets as many come as make the next one worth it, or the time pass in which they would have. Whoever sends one after the other waits for nothing: a round takes longer than its share of the time.
 */
import type { Clock } from '../runtime/runtime.ts';
import type { Intake } from './intake.ts';

/** So many records are worth a round. */
const RECORDS_WORTH = 16;
/** From the beginning of a round to that of the next one, for each record that it had; and at most. */
const MS_PER_RECORD = 1.5;
const MS_MAX = 15;

export interface Pace {
  /** Before a round, when something waits. Resolves at once when `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void>;
  /** At its end: when it began (ms, monotonic), and how many records it had. */
  note(startedAt: number, records: number): void;
}

export function createPace(clock: Clock, intake: Pick<Intake, 'ready' | 'nudge'>): Pace {
  let restUntil = 0;
  return {
    async wait(signal) {
      // Lets everything that is ready to arrive arrive.
      await clock.yield();
      const restMs = restUntil - clock.monotonic();
      if (restMs < 1) return;
      const timer = clock.timer(restMs, () => intake.nudge());
      await intake.ready(signal, RECORDS_WORTH);
      timer.cancel();
    },
    note(startedAt, records) {
      restUntil = startedAt + Math.min(MS_MAX, records * MS_PER_RECORD);
    },
  };
}
