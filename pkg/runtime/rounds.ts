/**
 * Work that an owner goes through by itself, row by row, until its tables hold none that is unfinished: round after round, at once when it is told of more, and every so often because another
 * process may have died on the way and left its rows.
 */
import type { Runtime, Task } from './runtime.ts';
import { untilLook } from './until-look.ts';

export interface Rounds {
  start(): void;
  /** Aborts the round that is under way, and resolves once it has ended. */
  stop(): Promise<void>;
  /** There is more to do. */
  nudge(): void;
}

export interface RoundsWish {
  /** Of the task. */
  readonly name: string;
  /** Between rounds that nobody has asked for; the first of them may come earlier (`until-look.ts`). */
  readonly everyMs: number;
  /** What is logged when a round throws; the next one tries again. */
  readonly failure: string;
  /** One round; resolves with whether there is more to do at once. */
  readonly round: (signal: AbortSignal) => Promise<boolean>;
}

/** Rounds that begin with `start`, the first of them at once. */
export function createRounds({ clock, tasks, logger }: Runtime, { name, everyMs, failure, round }: RoundsWish): Rounds {
  let resting = new AbortController();
  let isDue = true;
  let task: Task | undefined;

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      resting = new AbortController();
      if (!isDue) await clock.sleep(untilLook(clock, everyMs), AbortSignal.any([signal, resting.signal]));
      if (signal.aborted) return;
      // Before the round: a nudge during it is for the next one.
      isDue = false;
      try {
        if (await round(signal)) isDue = true;
      } catch (error) {
        logger.warn({ error }, failure);
      }
    }
  }

  return {
    start: () => void (task ??= tasks.spawn(name, run)),
    async stop() {
      await task?.stop();
    },
    nudge() {
      isDue = true;
      resting.abort();
    },
  };
}
