import type { Reader } from '../../../pkg/storage/database.ts';
import { authEventsOf } from './refs-of.ts';
import { readStored } from './stored-event.ts';

/** See `RoomHistoryQuery.authChain`. One read for each generation of auth events, of no more events than the limit leaves room for. */
export async function authChain(reader: Reader, eventIds: readonly string[], limit: number): Promise<{ eventIds: string[]; complete: boolean }> {
  const chain = new Set<string>();
  const referred = new Set<string>();
  const found = new Set<string>();
  const asked = new Set(eventIds);
  let next = [...asked];
  while (next.length > 0) {
    const events = await readStored(reader, next);
    next = [];
    for (const { eventId } of events) found.add(eventId);
    for (const eventId of events.flatMap(authEventsOf)) {
      referred.add(eventId);
      if (asked.has(eventId)) continue;
      asked.add(eventId);
      next.push(eventId);
    }
    for (const eventId of referred) if (found.has(eventId)) chain.add(eventId);
    next.length = Math.min(next.length, Math.max(0, limit - chain.size) + 1);
    if (chain.size > limit) return { eventIds: [...chain].slice(0, limit), complete: false };
  }
  return { eventIds: [...chain], complete: true };
}
