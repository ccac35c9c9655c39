/** Which servers have asked us something lately, so that what follows from it is done once in a while and not for each request. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';

const REMEMBERED_MAX = 10_000;

/** Says whether this contact is the first of the server within `everyMs`. */
export function createContacts(clock: Pick<Clock, 'monotonic'>, everyMs: number): (serverName: string) => boolean {
  const last = new Map<string, number>();
  return (serverName) => {
    const now = clock.monotonic();
    const before = last.get(serverName);
    if (before !== undefined && now - before < everyMs) return false;
    if (last.size >= REMEMBERED_MAX) last.clear();
    last.set(serverName, now);
    return true;
  };
}
