/**
 * Tables are looked at every so often for what nobody has told of. In a process at rest each of these looks costs mostly the waking up: caches are cold, and so is the code. So all of a process look
 * at the same moments, and processes at different ones, since each counts from its own start.
 */
import type { Clock } from './runtime.ts';

/** Timers may fire a little early; nobody looks twice for one moment. */
const EARLY_MS = 10;

/** How many ms to sleep until the next moment at which those look who do so every `everyMs`: more than none, and hardly more than `everyMs`. */
export function untilLook(clock: Pick<Clock, 'monotonic'>, everyMs: number): number {
  const ms = everyMs - (clock.monotonic() % everyMs);
  return ms > EARLY_MS ? ms : ms + everyMs;
}
