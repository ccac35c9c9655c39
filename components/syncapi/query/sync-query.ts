/** Answers other components' questions from the read model. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';
import { smallRoomsOf } from '../storage/memberships.ts';
import { OPEN, slotOf } from '../storage/rows.ts';
import { publicRooms } from './public-rooms.ts';

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
    joinedRoomsOf: async (userIds, membersMax) => {
      const rooms = new Map<string, string[]>();
      for (const { user_id: userId, room_id: roomId } of await smallRoomsOf(database, userIds, membersMax)) {
        const known = rooms.get(userId);
        if (known === undefined) rooms.set(userId, [roomId]);
        else known.push(roomId);
      }
      return rooms;
    },
    standing: async (userId) => {
      const rows = await database.query<{ room_id: string; membership: string }>(
        `SELECT room_id, membership FROM memberships WHERE user_id = ? AND to_sequence = ? AND membership <> 'leave'
         UNION ALL SELECT room_id, membership FROM outside_memberships WHERE user_id = ? AND membership <> 'leave'`,
        [userId, OPEN, userId],
      );
      return new Map(rows.map((row) => [row.room_id, row.membership]));
    },
    presences: async (userId, limit) => {
      const rows = await database.query<{ room_id: string; event_id: string }>(
        `SELECT room_id, event_id FROM memberships WHERE user_id = ? AND to_sequence = ? AND membership IN ('join', 'invite', 'knock')
         UNION ALL SELECT room_id, event_id FROM outside_memberships WHERE user_id = ? AND membership IN ('invite', 'knock') LIMIT ?`,
        [userId, OPEN, userId, limit],
      );
      return rows.map((row) => ({ roomId: row.room_id, eventId: row.event_id }));
    },
    pendingInvites: async (userId) => {
      const [row] = await database.query<{ count: number }>("SELECT COUNT(*) AS count FROM outside_memberships WHERE user_id = ? AND membership = 'invite'", [userId]);
      return row?.count ?? 0;
    },
    joinedCounts: async (roomIds) => {
      if (roomIds.length === 0) return new Map();
      const rows = await database.queryIn<{ room_id: string; joined_count: number }>('SELECT room_id, joined_count FROM rooms WHERE room_id IN (??)', [], [...new Set(roomIds)]);
      return new Map(rows.map((row) => [row.room_id, row.joined_count]));
    },
    mutualRooms: async ([one, other], { after, limit }) => {
      const shared = `memberships a JOIN memberships b ON b.user_id = ? AND b.room_id = a.room_id AND b.to_sequence = a.to_sequence AND b.membership = 'join'
         WHERE a.user_id = ? AND a.to_sequence = ? AND a.membership = 'join'`;
      const rows = await database.query<{ room_id: string }>(`SELECT a.room_id FROM ${shared} AND a.room_id > ? ORDER BY a.room_id LIMIT ?`, [other, one, OPEN, after, limit]);
      const [all] = await database.query<{ count: number }>(`SELECT COUNT(*) AS count FROM ${shared}`, [other, one, OPEN]);
      return { roomIds: rows.map((row) => row.room_id), count: all?.count ?? 0 };
    },
    publicRooms: (wish) => publicRooms(database, wish),
  };
}
