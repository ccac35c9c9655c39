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

interface Entry {
  readonly event: ClientEvent;
  /** How many had been put to the end before it. */
  readonly movedAt: number;
}

export function createEventCache(bytesMax: number): EventCache {
  // A Map keeps the order of insertion, so the first key is the least recently used.
  const entries = new Map<string, Entry>();
  let [bytes, moved] = [0, 0];
  const remove = (eventId: string): void => {
    const entry = entries.get(eventId);
    if (entry !== undefined && entries.delete(eventId)) bytes -= costOf(entry.event);
  };
  const add = (event: ClientEvent): void => {
    remove(event.eventId);
    entries.set(event.eventId, { event, movedAt: (moved += 1) });
    bytes += costOf(event);
  };
  return {
    get: (eventId) => {
      const entry = entries.get(eventId);
      // The event that thousands are told of is not moved for each of them: the newer half stays where it is.
      if (entry !== undefined && moved - entry.movedAt > entries.size / 2) add(entry.event);
      return entry?.event;
    },
    put: (event) => {
      add(event);
      for (const oldest of entries.keys()) {
        if (bytes <= bytesMax) break;
        remove(oldest);
      }
    },
    delete: remove,
    bytes: () => bytes,
  };
}

function costOf(event: ClientEvent): number {
  return event.head.length * 2 + ENTRY_OVERHEAD_BYTES;
}
