/** Real time that can leap: what lies in the future until then is due at once, in its order. For outages of days that take seconds. */
import { createClock } from '../../pkg/runtime/real/clock.ts';
import type { Clock, Timer } from '../../pkg/runtime/runtime.ts';

export interface LeapingClock extends Clock {
  /** Moves the time on by so many ms; timers that are due then fire before it returns. */
  leap(ms: number): void;
}

interface Pending {
  readonly at: number;
  readonly fire: () => void;
}

export function createLeapingClock(): LeapingClock {
  const real = createClock();
  const pending = new Set<Pending>();
  let ahead = 0;
  const monotonic = (): number => real.monotonic() + ahead;

  function timer(ms: number, callback: () => void): Timer {
    const fire = (): void => {
      handle.cancel();
      if (pending.delete(due)) callback();
    };
    const due: Pending = { at: monotonic() + ms, fire };
    pending.add(due);
    const handle = real.timer(ms, fire);
    return {
      cancel() {
        handle.cancel();
        pending.delete(due);
      },
    };
  }

  return {
    now: () => real.now() + ahead,
    monotonic, timer,
    cores: () => real.cores(),
    sleep(ms, signal) {
      if (signal?.aborted === true) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          waiting.cancel();
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const waiting = timer(ms, wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    },
    yield: () => real.yield(),
    leap(ms) {
      ahead += ms;
      const now = monotonic();
      for (const { fire } of [...pending].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)) fire();
    },
  };
}
