/** Whether this thread often has to wait for a core: then what is done in larger pieces leaves time for others, and nobody gets it later for it. */
import type { Clock } from '../runtime/runtime.ts';

/** Cores are short when a thread lacked one for so much of the time in which it had something to do; looked at so often. */
const MISSED_SHARE = 0.5;
const LOOK_EVERY_MS = 500;

export interface Crowd {
  isThere(): boolean;
}

export function createCrowd(clock: Pick<Clock, 'monotonic' | 'cores'>): Crowd {
  let isCrowded = false;
  let last = { at: clock.monotonic(), ...clock.cores() };
  return {
    isThere() {
      if (clock.monotonic() - last.at < LOOK_EVERY_MS) return isCrowded;
      const next = { at: clock.monotonic(), ...clock.cores() };
      const missedMs = next.missedMs - last.missedMs;
      isCrowded = missedMs > MISSED_SHARE * (missedMs + next.usedMs - last.usedMs);
      last = next;
      return isCrowded;
    },
  };
}
