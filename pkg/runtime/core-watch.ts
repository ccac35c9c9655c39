/** Whether this thread often has to wait for a core: then what is done in larger pieces leaves time for others, and nobody gets it later for it (docs/decisions/0015-cores-that-are-short.md). */
import type { Clock } from './runtime.ts';

/** Cores are short when a thread lacked one for so much of the time in which it had something to do; looked at so often. */
const MISSED_SHARE = 0.5;
const LOOK_EVERY_MS = 500;

export interface CoreWatch {
  areShort(): boolean;
  /** Where cores are short, resolves after `ms`: more will have come by then, and costs no more than a part of it. Elsewhere at once. */
  rest(ms: number): Promise<void>;
}

export function watchCores(clock: Pick<Clock, 'monotonic' | 'cores' | 'sleep'>): CoreWatch {
  let short = false;
  let last = { at: clock.monotonic(), ...clock.cores() };

  function areShort(): boolean {
    if (clock.monotonic() - last.at < LOOK_EVERY_MS) return short;
    const next = { at: clock.monotonic(), ...clock.cores() };
    const missedMs = next.missedMs - last.missedMs;
    short = missedMs > MISSED_SHARE * (missedMs + next.usedMs - last.usedMs);
    last = next;
    return short;
  }

  return {
    areShort,
    async rest(ms) {
      if (areShort()) await clock.sleep(ms);
    },
  };
}
