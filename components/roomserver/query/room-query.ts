/** Read-only answers from the roomserver's tables, for the other components (`schemas/ports/room-query.ts`). */
import type { Database } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { OWN_LIST, readPublished } from '../directory/published-row.ts';
import { readRooms, readSomeJoined } from '../storage/read-events.ts';
import { stateRef } from '../storage/refs.ts';
import { aliasQuery } from './aliases.ts';
import { outsideMembership } from './outside-membership.ts';
import { statesOfRooms } from './states-of-rooms.ts';
import { isStorable, OF_ROOM, readStored, STORED, storedEvent, type StoredSql } from './stored-event.ts';

export function roomQuery(database: Database): RoomQuery {
  return {
    eventsById: (eventIds) => readStored(database, eventIds),
    async currentState(roomId, keys) {
      if (!isStorable(roomId)) return [];
      if (keys === undefined) {
        return (await database.query<StoredSql>(`${STORED} current_state s JOIN events e ON e.event_id = s.event_id ${OF_ROOM} WHERE s.room_id = ?`, [roomId])).map(storedEvent);
      }
      const refs = keys.filter(([type, stateKey]) => isStorable(type) && isStorable(stateKey)).map(([type, stateKey]) => stateRef(roomId, type, stateKey));
      if (refs.length === 0) return [];
      const rows = await database.queryIn<StoredSql>(`${STORED} current_state s JOIN events e ON e.event_id = s.event_id ${OF_ROOM} WHERE s.state_ref IN (??)`, [], [...new Set(refs)]);
      return rows.map(storedEvent);
    },
    knownEventIds: (eventIds) => idsAmong(database, 'SELECT event_id FROM events WHERE event_id IN (??)', eventIds),
    placedEventIds: (eventIds) => idsAmong(database, 'SELECT event_id FROM events WHERE (state_id IS NOT NULL OR order_key IS NOT NULL) AND event_id IN (??)', eventIds),
    async roomTip(roomId) {
      const [room] = isStorable(roomId) ? await readRooms(database, [roomId]) : [];
      return room && { roomVersion: room.roomVersion, extremities: room.extremities, depth: room.depth };
    },
    async hasJoinedMember(roomId, serverName) {
      return isStorable(roomId) && isStorable(serverName) && (await readSomeJoined(database, roomId, `:${serverName}`, 1)).length > 0;
    },
    async someJoinedMembers(roomId, serverName, limit) {
      return isStorable(roomId) && isStorable(serverName) ? readSomeJoined(database, roomId, `:${serverName}`, limit) : [];
    },
    async roomVersion(roomId) {
      if (!isStorable(roomId)) return undefined;
      const rows = await database.query<{ room_version: string }>('SELECT room_version FROM rooms WHERE room_id = ?', [roomId]);
      return rows[0]?.room_version;
    },
    async lacksMembers(roomId) {
      return isStorable(roomId) && (await database.query('SELECT room_id FROM partial_rooms WHERE room_id = ? AND state <> 1', [roomId])).length > 0;
    },
    outsideMembership: (roomId, userId) => outsideMembership(database, roomId, userId),
    async isPublished(roomId) {
      return isStorable(roomId) && ((await readPublished(database, [roomId])).get(roomId) ?? []).includes(OWN_LIST);
    },
    async bannedMembers(roomId, limit) {
      if (!isStorable(roomId)) return [];
      const rows = await database.query<StoredSql>(
        `${STORED} current_state s JOIN events e ON e.event_id = s.event_id ${OF_ROOM} WHERE s.room_id = ? AND s.type = 'm.room.member' AND s.membership = 'ban' ORDER BY s.state_key LIMIT ?`, [roomId, limit]);
      return rows.map(storedEvent);
    },
    ...statesOfRooms(database),
    ...aliasQuery(database),
  };
}

async function idsAmong(database: Database, sql: string, eventIds: readonly string[]): Promise<Set<string>> {
  const ids = [...new Set(eventIds)].filter(isStorable);
  return new Set(ids.length === 0 ? [] : (await database.queryIn<{ event_id: string }>(sql, [], ids)).map((row) => row.event_id));
}
