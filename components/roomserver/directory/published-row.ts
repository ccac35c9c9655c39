/** Rows of the room directory: in which lists a room stands. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

/** Name of this server's own list; the others are networks of application services. */
export const OWN_LIST = '';

interface PublishedSql extends SqlRow {
  room_id: string; networks: string;
}

/** The lists of those of the rooms that stand in any, or have stood in one. */
export async function readPublished(reader: Reader, roomIds: readonly string[]): Promise<Map<string, readonly string[]>> {
  if (roomIds.length === 0) return new Map();
  const rows = await reader.queryIn<PublishedSql>('SELECT room_id, networks FROM published_rooms WHERE room_id IN (??)', [], roomIds);
  return new Map(rows.map((row) => [row.room_id, JSON.parse(row.networks) as string[]]));
}
