/** Answers other components' questions from the read model. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';
import { OPEN, slotOf } from '../storage/rows.ts';

export function syncQuery(database: Reader): SyncQuery {
  return {
    membership: async (roomId, userId) => {
      const slot = slotOf(roomId, 'm.room.member', userId);
      const rows = await database.query<{ membership: string }>('SELECT membership FROM memberships WHERE slot = ? AND to_sequence = ?', [slot, OPEN]);
      return rows[0]?.membership;
    },
    joinedRooms: async (userId) => {
      const rows = await database.query<{ room_id: string }>(
        `SELECT room_id FROM memberships WHERE user_id = ? AND to_sequence = ? AND membership = 'join' ORDER BY room_id`,
        [userId, OPEN],
      );
      return rows.map((row) => row.room_id);
    },
  };
}
