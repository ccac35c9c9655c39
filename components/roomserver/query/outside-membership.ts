import type { Reader } from '../../../pkg/storage/database.ts';
import type { OutsideMember } from '../../../schemas/ports/room-query.ts';
import { isStorable } from './stored-event.ts';

/** See `RoomQuery.outsideMembership`. */
export async function outsideMembership(reader: Reader, roomId: string, userId: string): Promise<OutsideMember | undefined> {
  if (!isStorable(roomId) || !isStorable(userId)) return undefined;
  const rows = await reader.query<{ membership: string; sender: string; room_version: string; origin: string }>('SELECT membership, sender, room_version, origin FROM outside_memberships WHERE room_id = ? AND user_id = ?', [roomId, userId]);
  return rows[0] && { membership: rows[0].membership, sender: rows[0].sender, roomVersion: rows[0].room_version, origin: rows[0].origin };
}
