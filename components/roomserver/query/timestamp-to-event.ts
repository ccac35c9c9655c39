import type { Reader } from '../../../pkg/storage/database.ts';
import { isStorable } from './stored-event.ts';

/** One text for each direction, so that both are read from the index of times. */
const NEAREST = {
  f: 'SELECT event_id, origin_server_ts FROM events WHERE room_id = ? AND origin_server_ts >= ? AND order_key IS NOT NULL ORDER BY origin_server_ts, order_key LIMIT 1',
  b: 'SELECT event_id, origin_server_ts FROM events WHERE room_id = ? AND origin_server_ts <= ? AND order_key IS NOT NULL ORDER BY origin_server_ts DESC, order_key DESC LIMIT 1',
};

/** See `RoomHistoryQuery.timestampToEvent`. */
export async function timestampToEvent(reader: Reader, roomId: string, at: { ts: number; direction: 'f' | 'b' }): Promise<{ eventId: string; originServerTs: number } | undefined> {
  if (!isStorable(roomId)) return undefined;
  const rows = await reader.query<{ event_id: string; origin_server_ts: number }>(NEAREST[at.direction], [roomId, at.ts]);
  return rows[0] === undefined ? undefined : { eventId: rows[0].event_id, originServerTs: rows[0].origin_server_ts };
}
