/** The state at events: as event IDs, as events, and single keys of it. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import type { StateSide, StoredEvent } from '../../../schemas/ports/room-query.ts';
import { readStates } from '../storage/read-state.ts';
import { isStorable, OF_ROOM, readStored, STORED, storedEvent, type StoredSql } from './stored-event.ts';

/** Where an event stands among its room's states. */
export interface StatePlace extends SqlRow {
  event_id: string; room_id: string; history_visibility: string; before: number; after: number;
}

export type StateKeys = readonly (readonly [type: string, stateKey: string])[];

/** Places of those of the events that have one: rejected events and outliers have none. The state before an event is the one that its own change was made to; events that change nothing are in one state. */
export async function readPlaces(reader: Reader, eventIds: readonly string[]): Promise<StatePlace[]> {
  const ids = [...new Set(eventIds)].filter(isStorable);
  if (ids.length === 0) return [];
  return reader.queryIn<StatePlace>(
    `SELECT e.event_id, e.room_id, e.history_visibility, COALESCE(d.prev_state_id, e.state_id) AS before, e.state_id AS after
     FROM events e LEFT JOIN state_deltas d ON d.room_id = e.room_id AND d.state_id = e.state_id AND d.type = e.type AND d.state_key = e.state_key AND d.event_id = e.event_id
     WHERE e.rejected = 0 AND e.state_id IS NOT NULL AND e.event_id IN (??)`, [], ids);
}

/** See `RoomHistoryQuery.stateIdsAt`. */
export async function stateIdsAt(reader: Reader, eventIds: readonly string[], side: StateSide): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const [roomId, places] of byRoom(await readPlaces(reader, eventIds))) {
    const states = await readStates(reader, roomId, places.map((place) => place[side]));
    for (const place of places) found.set(place.event_id, states.get(place[side])!);
  }
  return found;
}

/** See `RoomHistoryQuery.stateAt`. */
export async function stateAt(reader: Reader, wish: { eventId: string; side: StateSide; keys?: StateKeys | undefined }): Promise<StoredEvent[] | undefined> {
  const [place] = await readPlaces(reader, [wish.eventId]);
  if (place === undefined) return undefined;
  const eventIds = wish.keys === undefined
    ? (await readStates(reader, place.room_id, [place[wish.side]])).get(place[wish.side])!
    : await eventIdsUnder(reader, place.room_id, place[wish.side], wish.keys);
  return readStored(reader, eventIds);
}

/** The state at one event, of one event type only. */
export async function stateOfType(reader: Reader, place: StatePlace, side: StateSide, type: string): Promise<StoredEvent[]> {
  const eventIds = (await readStates(reader, place.room_id, [place[side]])).get(place[side])!;
  if (eventIds.length === 0) return [];
  return (await reader.queryIn<StoredSql>(`${STORED} events e ${OF_ROOM} WHERE e.type = ? AND e.event_id IN (??)`, [type], eventIds)).map(storedEvent);
}

async function eventIdsUnder(reader: Reader, roomId: string, stateId: number, keys: StateKeys): Promise<string[]> {
  const wanted = keys.filter(([type, stateKey]) => isStorable(type) && isStorable(stateKey));
  const eventIds: string[] = [];
  if (!(await isStraight(reader, roomId, stateId))) return keyed(reader, (await readStates(reader, roomId, [stateId])).get(stateId)!, wanted);
  for (const [type, stateKey] of wanted) {
    const rows = await reader.query<{ event_id: string }>(
      'SELECT event_id FROM state_deltas WHERE room_id = ? AND type = ? AND state_key = ? AND state_id <= ? ORDER BY state_id DESC LIMIT 1', [roomId, type, stateKey, stateId]);
    if (rows[0] !== undefined) eventIds.push(rows[0].event_id);
  }
  return eventIds;
}

/**
 * Whether every state of the room up to this one lies on the way to it, so that the newest row of a key counts. State IDs count up along the way, so a way of
 * N steps to state N has met them all.
 */
export async function isStraight(reader: Reader, roomId: string, stateId: number): Promise<boolean> {
  const rows = await reader.query<{ depth: number }>('SELECT depth FROM state_deltas WHERE room_id = ? AND state_id = ? LIMIT 1', [roomId, stateId]);
  return stateId === 0 || rows[0]?.depth === stateId;
}

async function keyed(reader: Reader, eventIds: readonly string[], keys: StateKeys): Promise<string[]> {
  const wanted = new Set(keys.map((key) => JSON.stringify(key)));
  if (eventIds.length === 0) return [];
  const rows = await reader.queryIn<{ event_id: string; type: string; state_key: string }>('SELECT event_id, type, state_key FROM events WHERE event_id IN (??)', [], eventIds);
  return rows.filter((row) => wanted.has(JSON.stringify([row.type, row.state_key]))).map((row) => row.event_id);
}

export function byRoom(places: readonly StatePlace[]): Map<string, StatePlace[]> {
  return Map.groupBy(places, (place) => place.room_id);
}
