/**
 * A repair of kafkajs 2.2.4, which is no longer maintained: each of its connections re-arms a timer for queued requests for ever, with a delay computed as
 * `throttledUntil - now`, mostly negative. That is a wake-up every millisecond per connection, and on Node 24 a TimeoutNegativeWarning. Here the timer is
 * armed only while requests are queued, and never with a negative delay. Nothing else of kafkajs is touched.
 */
import { createRequire } from 'node:module';

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly pending: readonly unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const CHECK_MS = 10;
const REPAIRED = Symbol.for('myelin.kafkajs.request-timer');

/** Idempotent; must run before the first connection. */
export function repairRequestTimer(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue & { [REPAIRED]?: true } };
  if (prototype[REPAIRED]) return;
  prototype[REPAIRED] = true;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const delayMs = Math.max(this.throttledUntil - Date.now(), CHECK_MS);
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, delayMs);
  };
}
