/** Client forms of recently used events, bounded in bytes: the least recently used go first. */
import { createRecent, type Recent } from '../../../pkg/assert/recent.ts';
import type { ClientEvent } from './client-event.ts';

/** What an entry costs beside its text: keys, short strings, the map's slot. */
const ENTRY_OVERHEAD_BYTES = 500;

/** By event ID; weighed in estimated bytes. */
export type EventCache = Recent<ClientEvent>;

export function createEventCache(bytesMax: number): EventCache {
  return createRecent(bytesMax, { weigh: ({ head }: ClientEvent) => head.length * 2 + ENTRY_OVERHEAD_BYTES, lazy: true });
}
