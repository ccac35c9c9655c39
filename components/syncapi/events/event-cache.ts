/** Client forms of recently used events, bounded in bytes: the least recently used go first. */
import type { ClientEvent } from './client-event.ts';

/** What an entry costs beside its text: keys, short strings, the map's slot. */
const ENTRY_OVERHEAD_BYTES = 500;

export interface EventCache {
  get(eventId: string): ClientEvent | undefined;
  put(event: ClientEvent): void;
  delete(eventId: string): void;
  /** Estimated memory in bytes. */
  bytes(): number;
}

export function createEventCache(bytesMax: number): EventCache {
  // A Map keeps the order of insertion, so the first key is the least recently used.
  const entries = new Map<string, ClientEvent>();
  let bytes = 0;
  const remove = (eventId: string): ClientEvent | undefined => {
    const entry = entries.get(eventId);
    if (entry !== undefined && entries.delete(eventId)) bytes -= costOf(entry);
    return entry;
  };
  return {
    get: (eventId) => {
      const entry = remove(eventId);
      if (entry === undefined) return undefined;
      entries.set(eventId, entry);
      bytes += costOf(entry);
      return entry;
    },
    put: (event) => {
      remove(event.eventId);
      entries.set(event.eventId, event);
      bytes += costOf(event);
      for (const oldest of entries.keys()) {
        if (bytes <= bytesMax) break;
        remove(oldest);
      }
    },
    delete: (eventId) => void remove(eventId),
    bytes: () => bytes,
  };
}

function costOf(event: ClientEvent): number {
  return event.head.length * 2 + ENTRY_OVERHEAD_BYTES;
}
