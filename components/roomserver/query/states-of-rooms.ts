/** Parts of the current states of several rooms at once. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { stateRef } from '../storage/refs.ts';
import { isStorable, OF_ROOM, STORED, storedEvent, type StoredSql } from './stored-event.ts';

const FROM_STATE = `${STORED} current_state s JOIN events e ON e.event_id = s.event_id ${OF_ROOM}`;

export function statesOfRooms(reader: Reader): Pick<RoomQuery, 'currentStates' | 'spaceChildren' | 'roomsWith'> {
  return {
    async currentStates(roomIds, keys) {
      const refs = unique(roomIds).flatMap((roomId) => keys.map(([type, stateKey]) => stateRef(roomId, type, stateKey)));
      return refs.length === 0 ? [] : (await reader.queryIn<StoredSql>(`${FROM_STATE} WHERE s.state_ref IN (??)`, [], refs)).map(storedEvent);
    },
    async spaceChildren(roomIds) {
      const ids = unique(roomIds);
      return ids.length === 0 ? [] : (await reader.queryIn<StoredSql>(`${FROM_STATE} WHERE s.type = 'm.space.child' AND s.room_id IN (??)`, [], ids)).map(storedEvent);
    },
    async roomsWith(roomIds, serverName, memberships) {
      const ids = unique(roomIds);
      if (ids.length === 0 || !isStorable(serverName)) return new Set();
      const suffix = `:${serverName}`;
      const rows = await reader.queryIn<{ room_id: string }>(
        `SELECT r.room_id FROM rooms r WHERE EXISTS (SELECT 1 FROM current_state s WHERE s.room_id = r.room_id AND s.type = 'm.room.member'
           AND s.membership IN (${memberships.map(() => '?').join(', ')}) AND substr(s.state_key, length(s.state_key) - ?) = ?) AND r.room_id IN (??)`,
        [...memberships, suffix.length - 1, suffix], ids);
      return new Set(rows.map((row) => row.room_id));
    },
  };
}

function unique(roomIds: readonly string[]): string[] {
  return [...new Set(roomIds)].filter(isStorable);
}
