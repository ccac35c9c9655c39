import type { Clock } from '../../../pkg/runtime/runtime.ts';

/**
 * What `work` resolves to, or a rejection with `late()` after `ms`, or with `cancelled()` when `signal` is aborted first. The work itself goes on: whoever started it bounds it;
 * nobody waits for it any more.
 */
export function within<T>(clock: Clock, limit: { ms: number; signal: AbortSignal; late: () => Error; cancelled: () => Error }, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => () => {
      timer.cancel();
      limit.signal.removeEventListener('abort', onAbort);
      end();
    };
    const onAbort = settle(() => reject(limit.cancelled()));
    const timer = clock.timer(limit.ms, settle(() => reject(limit.late())));
    limit.signal.addEventListener('abort', onAbort);
    if (limit.signal.aborted) onAbort();
    work.then((value) => settle(() => resolve(value))(), (error: unknown) => settle(() => reject(error instanceof Error ? error : new Error(String(error))))());
  });
}
