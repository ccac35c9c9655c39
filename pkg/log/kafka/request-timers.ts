/**
 * Repairs of two timers of kafkajs 2.2.4, which is no longer maintained. Each of its connections re-arms one for queued requests for ever, with a delay computed as `throttledUntil - now`, mostly negative. That is a
 * wake-up every millisecond per connection, and on Node 24 a TimeoutNegativeWarning. Here it is armed only while requests are queued, and never with a negative delay. And each connection looks ten times a second
 * for requests that have no answer for seconds: twice a second is enough. Nothing else of kafkajs is touched.
 */
import { createRequire } from 'node:module';

interface SentRequest {
  /** By `Date.now()`. */
  readonly sentAt: number;
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

interface RequestQueue {
  readonly enforceRequestTimeout: boolean;
  requestTimeoutIntervalId: NodeJS.Timeout | null;
  readonly inflight: ReadonlyMap<number, SentRequest>;
  isConnected(): boolean;
  /** Ends the timers. */
  destroy(): void;
  scheduleRequestTimeoutCheck(): void;
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly pending: readonly unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const CHECK_MS = 10;
const TIMEOUT_CHECK_MS = 500;
const REPAIRED = Symbol.for('myelin.kafkajs.request-timers');

/** Idempotent; must run before the first connection. */
export function repairRequestTimers(): void {
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
  prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue): void {
    if (!this.enforceRequestTimeout) return;
    this.destroy();
    this.requestTimeoutIntervalId = setInterval(() => {
      for (const request of this.inflight.values()) {
        if (Date.now() - request.sentAt > request.requestTimeout) request.timeoutRequest();
      }
      if (!this.isConnected()) this.destroy();
    }, TIMEOUT_CHECK_MS);
  };
}
