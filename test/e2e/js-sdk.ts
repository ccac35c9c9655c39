/** What every test with matrix-js-sdk needs: quiet, a process that ends when all is done, and waiting that says what for. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { logger as sharedLogger, type Logger } from 'matrix-js-sdk/lib/logger.js';

const STEP_MS_MAX = 60_000;
const LONG_MS = 5_000;
const quiet = (): void => undefined;

export const SILENT: Logger = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, getChild: () => SILENT };
// Some parts of the SDK speak through this one whatever they are given.
Object.assign(sharedLogger, SILENT, { log: quiet });
letLongTimersGo();

/** The SDK leaves timers behind, one of 90 s for each /sync; none of them shall keep the process when all is done. */
function letLongTimersGo(): void {
  const { setTimeout: start } = globalThis;
  globalThis.setTimeout = ((callback: () => void, ms?: number, ...rest: []) => {
    const timer = start(callback, ms, ...rest);
    return (ms ?? 0) >= LONG_MS ? timer.unref() : timer;
  }) as typeof setTimeout;
}

/** Asks again and again; fails with `what` when it does not come true within a minute. */
export async function until(what: () => string, holds: () => boolean): Promise<void> {
  for (const endsAt = Date.now() + STEP_MS_MAX; !holds(); await sleep(20)) if (Date.now() > endsAt) assert.fail(`waited ${STEP_MS_MAX / 1000} s for ${what()}`);
}

export function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const late = sleep(STEP_MS_MAX, undefined, { ref: false }).then(() => assert.fail(`waited ${STEP_MS_MAX / 1000} s for ${what}`));
  return Promise.race([promise, late]);
}
