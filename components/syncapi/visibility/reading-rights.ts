/** What a user may read of a room: its present, its past up to a leave, or nothing. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { membershipsInRoom } from '../storage/memberships.ts';
import { OPEN, type MembershipRow, type RoomRow } from '../storage/rows.ts';

export interface ReadingRights {
  readonly room: RoomRow;
  /** All that the user ever was in the room, in order. */
  readonly intervals: readonly MembershipRow[];
  /** The state may be read as it was at this sequence; `OPEN`: as it is now. */
  readonly stateAt: number;
  readonly isJoined: boolean;
}

/**
 * The rights of `userId` in a room. Joined members, and anybody in a world-readable room, read the present; who has left reads what was when they left. Throws 403
 * M_FORBIDDEN for all others, also where there is no such room.
 */
export async function readingRights(reader: Reader, roomId: string, userId: string): Promise<ReadingRights> {
  const rooms = await reader.query<RoomRow>(
    'SELECT room_id, version, partition_number, last_sequence, last_order_key, joined_count, invited_count, history_visibility FROM rooms WHERE room_id = ?',
    [roomId],
  );
  // A room whose state is still on its way has no event yet.
  const room = rooms.find((row) => row.last_order_key > 0);
  const intervals = room === undefined ? [] : await membershipsInRoom(reader, userId, roomId);
  const lastJoin = intervals.findLast((interval) => interval.membership === 'join');
  const isWorldReadable = room?.history_visibility === 'world_readable';
  if (room === undefined || (lastJoin === undefined && !isWorldReadable)) throw notInRoom();
  const stateAt = isWorldReadable ? OPEN : (lastJoin?.to_sequence ?? OPEN);
  return { room, intervals, stateAt, isJoined: lastJoin?.to_sequence === OPEN };
}

export function notInRoom(): MatrixError {
  return new MatrixError(403, 'M_FORBIDDEN', 'You are not in this room');
}
