import { openSync, readSync } from 'node:fs';
import { setImmediate as immediate } from 'node:timers/promises';
import type { Clock, CoreTime } from '../runtime.ts';

/** Longest time that a Node timer takes; it would fire at once above it. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function createClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    cores,
    sleep,
    timer(ms, callback) {
      const handle = setTimeout(callback, bounded(ms));
      handle.unref();
      return { cancel: () => clearTimeout(handle) };
    },
    yield: () => immediate(),
  };
}

/** Of this thread, since the first question; undefined: this is no Linux, or one that does not tell. */
let schedule: number | undefined | 'unasked' = 'unasked';
const line = Buffer.alloc(80);

/** Linux: ns on a core, ns ready and without one. What waits for a disk is neither. */
function cores(): CoreTime {
  try {
    if (schedule === 'unasked') {
      schedule = undefined;
      schedule = openSync('/proc/thread-self/schedstat', 'r');
    }
    if (schedule !== undefined) {
      const [used, missed] = line.toString('latin1', 0, readSync(schedule, line, 0, line.length, 0)).split(' ');
      return { usedMs: Number(used) / 1e6, missedMs: Number(missed) / 1e6 };
    }
  } catch {
    schedule = undefined;
  }
  return { usedMs: performance.now(), missedMs: 0 };
}

/** A sleeping task is work under way, so unlike `timer` it keeps the process alive. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(handle);
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const handle = setTimeout(wake, bounded(ms));
    signal?.addEventListener('abort', wake, { once: true });
  });
}

function bounded(ms: number): number {
  return Math.min(Math.max(0, ms), TIMER_MS_MAX);
}
