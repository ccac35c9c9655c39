/** Trace IDs: 32 lower-case hex digits that follow a request through every log line and record (W3C Trace Context, trace-id). */
import type { Random } from '../runtime/runtime.ts';

const TRACE_ID = /^[0-9a-f]{32}$/;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.{0,200})?$/;
const ZEROS = '0'.repeat(32);

/** A new random trace ID. */
export function newTraceId(random: Random): string {
  return hex(random.bytes(16));
}

/** The trace ID of a `traceparent` header when it is a valid one, else a new one: nothing that a client makes up gets into our logs. */
export function traceIdOf(traceparent: string | undefined, random: Random): string {
  if (traceparent === undefined || traceparent.length > 300) return newTraceId(random);
  const id = TRACEPARENT.exec(traceparent)?.[1];
  return id === undefined || id === ZEROS ? newTraceId(random) : id;
}

/** `value` when it is a trace ID, else a new one; for IDs that come out of records. */
export function traceIdOrNew(value: string, random: Random): string {
  return TRACE_ID.test(value) && value !== ZEROS ? value : newTraceId(random);
}

/** The `traceparent` header that passes `traceId` on to another server. */
export function traceparentOf(traceId: string, random: Random): string {
  return `00-${traceId}-${hex(random.bytes(8))}-01`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
