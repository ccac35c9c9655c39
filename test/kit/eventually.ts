import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS_MAX = 30_000;

/** Resolves when that is so which servers bring about in their own time; fails when it takes too long. `what`: what is waited for. */
export async function eventually(what: string, reached: () => Promise<boolean>): Promise<void> {
  for (const endsAt = performance.now() + WAIT_MS_MAX; !(await reached()); await sleep(20)) assert.ok(performance.now() < endsAt, `waited in vain: ${what}`);
}
