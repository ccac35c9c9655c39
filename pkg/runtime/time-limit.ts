import type { Clock } from './runtime.ts';

export class TimeLimitPassed extends Error {
  override readonly name = 'TimeLimitPassed';
}

/**
 * What `work` resolves to, or a rejection with `TimeLimitPassed` after `ms`. The work itself is not stopped: whoever started it bounds it.
 */
export function withTimeLimit<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(ms, () => reject(new TimeLimitPassed(`no answer within ${ms} ms`)));
    work.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
