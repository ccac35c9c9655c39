/** Where tokens lie in one room's timeline. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { RoomRow } from '../storage/rows.ts';
import { decodePageToken } from '../token/page-token.ts';
import { decodeSyncToken, isSyncToken } from '../token/sync-token.ts';
import type { ReadDeps } from './deps.ts';
import { placeUnder } from './positions.ts';

type RoomPlace = Pick<RoomRow, 'room_id' | 'partition_number'>;
type PlaceDeps = Pick<ReadDeps, 'database' | 'partitionMap'>;

/** The page boundary of a page token, or of a sync token in this room. Throws 400 M_INVALID_PARAM. */
export async function boundaryOfToken(deps: PlaceDeps, room: RoomPlace, token: string): Promise<number> {
  if (!isSyncToken(token)) return decodePageToken(token);
  return boundaryAt(deps.database, room.room_id, sequenceOfSyncToken(deps, room, token));
}

/** The sequence up to which a token reaches in this room's partition. Throws 400 M_INVALID_PARAM. */
export async function sequenceAtToken(deps: PlaceDeps, room: RoomPlace, token: string): Promise<number> {
  if (isSyncToken(token)) return sequenceOfSyncToken(deps, room, token);
  const rows = await deps.database.query<{ sequence: number }>(
    'SELECT sequence FROM timeline WHERE room_id = ? AND order_key <= ? AND order_key > 0 ORDER BY order_key DESC LIMIT 1',
    [room.room_id, decodePageToken(token)],
  );
  return rows[0]?.sequence ?? 0;
}

/** The boundary after the newest live event with a sequence up to `sequence`. */
export async function boundaryAt(reader: Reader, roomId: string, sequence: number): Promise<number> {
  const rows = await reader.query<{ order_key: number }>(
    'SELECT order_key FROM timeline WHERE room_id = ? AND sequence <= ? AND order_key > 0 ORDER BY sequence DESC LIMIT 1',
    [roomId, sequence],
  );
  return rows[0]?.order_key ?? 0;
}

function sequenceOfSyncToken(deps: PlaceDeps, room: RoomPlace, token: string): number {
  return placeUnder(deps, decodeSyncToken(token)).room[room.partition_number] ?? 0;
}
