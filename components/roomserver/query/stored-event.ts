/** What every query hands out of an event. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { unpackJson } from '../../../pkg/storage/packed-json.ts';
import type { StoredEvent } from '../../../schemas/ports/room-query.ts';

export interface StoredSql extends SqlRow {
  event_id: string; room_id: string; room_version: string; json: Uint8Array; redacted_by: string | null; order_key: number | null;
}

/** Begins a SELECT of `StoredSql`: what follows is the tables, with `events e` and `OF_ROOM`. */
export const STORED = 'SELECT e.event_id, e.room_id, r.room_version, e.json, e.redacted_by, e.order_key FROM';
export const OF_ROOM = 'JOIN rooms r ON r.room_id = e.room_id';

export function storedEvent(row: StoredSql): StoredEvent {
  return { eventId: row.event_id, roomId: row.room_id, roomVersion: row.room_version, pdu: unpackJson(row.json), redactedBy: row.redacted_by, orderKey: row.order_key };
}

/** Those of the events that exist and were not rejected, in no order. */
export async function readStored(reader: Reader, eventIds: readonly string[]): Promise<StoredEvent[]> {
  const ids = [...new Set(eventIds)].filter(isStorable);
  if (ids.length === 0) return [];
  return (await reader.queryIn<StoredSql>(`${STORED} events e ${OF_ROOM} WHERE e.rejected = 0 AND e.event_id IN (??)`, [], ids)).map(storedEvent);
}

/** The same, but only those that have their place in the graph of their room, or as history before it: outliers have none. */
export async function readPlaced(reader: Reader, eventIds: readonly string[]): Promise<StoredEvent[]> {
  const ids = [...new Set(eventIds)].filter(isStorable);
  if (ids.length === 0) return [];
  return (await reader.queryIn<StoredSql>(`${STORED} events e ${OF_ROOM} WHERE e.rejected = 0 AND (e.state_id IS NOT NULL OR e.order_key < 0) AND e.event_id IN (??)`, [], ids)).map(storedEvent);
}

/** Texts from clients and other servers may hold what no database takes, and so no row has. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
