/** Batched reads for the owner: rows of rooms, state events, events and receipts by their keys. One statement each, however many keys. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { unpackJson } from '../../../pkg/storage/packed-json.ts';
import type { RoomRow } from '../input/effects.ts';

interface RoomSql extends SqlRow {
  room_id: string; room_version: string; partition: number; creator: string; create_event_id: string;
  order_key: number; depth: number; state_id: number; state_depth: number; last_state_id: number; forward_extremities: string; purged_depth: number | null; partial: number | null;
}

export async function readRooms(reader: Reader, roomIds: readonly string[]): Promise<RoomRow[]> {
  if (roomIds.length === 0) return [];
  const rows = await reader.queryIn<RoomSql>(
    `SELECT room_id, room_version, partition, creator, create_event_id, order_key, depth, state_id, state_depth, last_state_id, forward_extremities,
       (SELECT p.depth FROM purges p WHERE p.room_id = rooms.room_id) AS purged_depth,
       (SELECT p.state FROM partial_rooms p WHERE p.room_id = rooms.room_id AND p.state <> 1) AS partial
     FROM rooms WHERE room_id IN (??)`, [], roomIds);
  return rows.map((row) => ({
    roomId: row.room_id, roomVersion: row.room_version, partition: row.partition, creator: row.creator, createEventId: row.create_event_id,
    orderKey: row.order_key, depth: row.depth, stateId: row.state_id, stateDepth: row.state_depth, lastStateId: row.last_state_id,
    extremities: JSON.parse(row.forward_extremities) as string[], ...(row.purged_depth !== null && { purgedDepth: row.purged_depth }), ...(row.partial !== null && { partial: row.partial }),
  }));
}

export interface StateSql extends SqlRow {
  state_ref: string; event_id: string; json: Uint8Array;
}

/** Current state events under these state references (`refs.ts`). */
export async function readState(reader: Reader, stateRefs: readonly string[]): Promise<StateSql[]> {
  if (stateRefs.length === 0) return [];
  const rows = await reader.queryIn<StateSql>(
    'SELECT s.state_ref, s.event_id, e.json FROM current_state s JOIN events e ON e.event_id = s.event_id WHERE s.state_ref IN (??)', [], stateRefs);
  return rows.map((row) => ({ ...row, json: unpackJson(row.json) }));
}

/** State references under which somebody is joined. */
export async function readJoined(reader: Reader, stateRefs: readonly string[]): Promise<Set<string>> {
  if (stateRefs.length === 0) return new Set();
  const rows = await reader.queryIn<{ state_ref: string }>(
    `SELECT state_ref FROM current_state WHERE membership = 'join' AND state_ref IN (??)`, [], stateRefs);
  return new Set(rows.map((row) => row.state_ref));
}

/** Some joined members of a room whose IDs end with `suffix` (`:server`). */
export async function readSomeJoined(reader: Reader, roomId: string, suffix: string, limit: number): Promise<string[]> {
  const rows = await reader.query<{ state_key: string }>(
    `SELECT state_key FROM current_state WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join' AND substr(state_key, length(state_key) - ?) = ?
     ORDER BY state_key LIMIT ?`, [roomId, suffix.length - 1, suffix, limit]);
  return rows.map((row) => row.state_key);
}

export interface EventSql extends SqlRow {
  event_id: string; room_id: string; type: string; sender: string; order_key: number | null; redacted_by: string | null; json: Uint8Array;
}

export async function readEvents(reader: Reader, eventIds: readonly string[]): Promise<EventSql[]> {
  if (eventIds.length === 0) return [];
  const rows = await reader.queryIn<EventSql>('SELECT event_id, room_id, type, sender, order_key, redacted_by, json FROM events WHERE rejected = 0 AND event_id IN (??)', [], eventIds);
  return rows.map((row) => ({ ...row, json: unpackJson(row.json) }));
}

export async function readReceiptOrders(reader: Reader, receiptRefs: readonly string[]): Promise<Map<string, number>> {
  if (receiptRefs.length === 0) return new Map();
  const rows = await reader.queryIn<{ receipt_ref: string; order_key: number }>('SELECT receipt_ref, order_key FROM receipts WHERE receipt_ref IN (??)', [], receiptRefs);
  return new Map(rows.map((row) => [row.receipt_ref, row.order_key]));
}
