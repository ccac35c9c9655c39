/** Gets the client forms of events: from the cache, else in one batched question to the owner's tables. */
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import type { RoomQuery, StoredEvent } from '../../../schemas/ports/room-query.ts';
import { clientEventOf, parsePdu, type ClientEvent } from './client-event.ts';
import type { EventCache } from './event-cache.ts';

export interface EventLoader {
  /** The events of these IDs, with the redactions of redacted ones; unknown IDs are left out. */
  load(eventIds: Iterable<string>): Promise<ReadonlyMap<string, ClientEvent>>;
  /** JSON texts of the PDUs as federation carries them, with their event IDs added (`event_format: federation`). */
  loadRaw(eventIds: Iterable<string>): Promise<ReadonlyMap<string, string>>;
}

export interface EventLoaderDeps {
  readonly database: Reader;
  readonly roomQuery: Pick<RoomQuery, 'eventsById'>;
  readonly cache: EventCache;
}

export function createEventLoader(deps: EventLoaderDeps): EventLoader {
  return {
    load: async (eventIds) => {
      const ids = [...new Set(eventIds)];
      const redactions = await redactionsOf(deps.database, ids);
      const found = await loadEach(deps, ids, redactions);
      const because = [...found.values()].flatMap((event) => (event.redactedBy !== null && !found.has(event.redactedBy) ? [event.redactedBy] : []));
      if (because.length > 0) for (const [eventId, event] of await loadEach(deps, because, new Map())) found.set(eventId, event);
      return found;
    },
    loadRaw: async (eventIds) => {
      const stored = await deps.roomQuery.eventsById([...new Set(eventIds)]);
      return new Map(stored.map((event) => [event.eventId, rawText(event)]));
    },
  };
}

/** The event as servers see it, with its ID, which is in it already in room versions 1 and 2. */
export function rawText({ pdu, eventId, roomVersion: versionId }: Pick<StoredEvent, 'pdu' | 'eventId' | 'roomVersion'>): string {
  const text = Buffer.from(pdu).toString('utf8');
  return roomVersion(versionId)?.eventIdFormat === 'opaque' ? text : `${text.slice(0, -1)},"event_id":${JSON.stringify(eventId)}}`;
}

async function loadEach(deps: EventLoaderDeps, eventIds: readonly string[], redactions: ReadonlyMap<string, string>): Promise<Map<string, ClientEvent>> {
  const found = new Map<string, ClientEvent>();
  const missing: string[] = [];
  for (const eventId of eventIds) {
    const cached = deps.cache.get(eventId);
    // Another instance may have applied the redaction: then the text here is the one from before.
    if (cached !== undefined && (cached.redactedBy !== null || !redactions.has(eventId))) found.set(eventId, cached);
    else missing.push(eventId);
  }
  if (missing.length === 0) return found;
  for (const stored of await deps.roomQuery.eventsById(missing)) {
    const event = clientEventOf({ ...stored, pdu: parsePdu(stored.pdu) });
    found.set(event.eventId, event);
    deps.cache.set(event.eventId, event);
  }
  return found;
}

const REDACTIONS = { sql: 'SELECT event_id, redacted_by FROM redactions WHERE event_id IN (??)', by: 'event_id' };

async function redactionsOf(database: Reader, eventIds: readonly string[]): Promise<Map<string, string>> {
  if (eventIds.length === 0) return new Map();
  const rows = await gatherIn<{ event_id: string; redacted_by: string }>(database, REDACTIONS, eventIds);
  return new Map(rows.map((row) => [row.event_id, row.redacted_by]));
}
