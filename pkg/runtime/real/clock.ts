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

function cores(): CoreTime {
  const { active } = performance.eventLoopUtilization();
  const { threadCpuUsage } = process as { threadCpuUsage?: typeof process.cpuUsage };
  // Node 22.
  if (threadCpuUsage === undefined) return { usedMs: active, missedMs: 0 };
  const { user, system } = threadCpuUsage();
  const usedMs = (user + system) / 1000;
  return { usedMs, missedMs: active - usedMs };
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
