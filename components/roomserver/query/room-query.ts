/** Read-only answers from the roomserver's tables, for the other components (`schemas/ports/room-query.ts`). */
import type { Database, SqlRow } from '../../../pkg/storage/database.ts';
import type { RoomQuery, StoredEvent } from '../../../schemas/ports/room-query.ts';
import { stateRef } from '../storage/refs.ts';

interface StoredSql extends SqlRow {
  event_id: string; room_id: string; room_version: string; json: Uint8Array; redacted_by: string | null; order_key: number;
}

const STORED = 'SELECT e.event_id, e.room_id, r.room_version, e.json, e.redacted_by, e.order_key FROM';
const OF_ROOM = 'JOIN rooms r ON r.room_id = e.room_id';

export function roomQuery(database: Database): RoomQuery {
  return {
    async eventsById(eventIds) {
      const ids = [...new Set(eventIds)].filter(isStorable);
      if (ids.length === 0) return [];
      return (await database.queryIn<StoredSql>(`${STORED} events e ${OF_ROOM} WHERE e.rejected = 0 AND e.event_id IN (??)`, [], ids)).map(storedEvent);
    },
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
    async roomVersion(roomId) {
      if (!isStorable(roomId)) return undefined;
      const rows = await database.query<{ room_version: string }>('SELECT room_version FROM rooms WHERE room_id = ?', [roomId]);
      return rows[0]?.room_version;
    },
  };
}

/** Texts from clients may hold what no database takes, and so no row has. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function storedEvent(row: StoredSql): StoredEvent {
  return { eventId: row.event_id, roomId: row.room_id, roomVersion: row.room_version, pdu: row.json, redactedBy: row.redacted_by, orderKey: row.order_key };
}
