/** Who was what in which room, and when. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { OPEN, slotOf, type MembershipRow, type OutsideDetail, type OutsideRow } from './rows.ts';

const COLUMNS = 'user_id, room_id, from_sequence, to_sequence, membership, event_id, partition_number, forgotten_at';
const OUTSIDE_COLUMNS = 'user_id, room_id, partition_number, sequence, membership, event_id, forgotten_at';

/** All that one user ever was, by room; the intervals of a room in order. Profile changes make no interval of their own. */
export async function membershipsOfUser(reader: Reader, userId: string): Promise<Map<string, MembershipRow[]>> {
  const rows = await reader.query<MembershipRow>(`SELECT ${COLUMNS} FROM memberships WHERE user_id = ? ORDER BY room_id, from_sequence`, [userId]);
  const byRoom = new Map<string, MembershipRow[]>();
  for (const row of rows) {
    const intervals = byRoom.get(row.room_id);
    if (intervals === undefined) byRoom.set(row.room_id, [row]);
    else intervals.push(row);
  }
  return byRoom;
}

/** The intervals of one user in one room, in order; none of a room that they have forgotten. */
export async function membershipsInRoom(reader: Reader, userId: string, roomId: string): Promise<MembershipRow[]> {
  const rows = await reader.query<MembershipRow>(`SELECT ${COLUMNS} FROM memberships WHERE user_id = ? AND room_id = ? ORDER BY from_sequence`, [userId, roomId]);
  return isForgotten(rows.at(-1)) ? [] : rows;
}

/** Whether the user forgot the room that they have left by their newest membership. */
export function isForgotten(newest: Pick<MembershipRow, 'forgotten_at'> | undefined): boolean {
  return newest !== undefined && newest.forgotten_at > 0;
}

/** The current intervals of these (room, user) pairs. */
export function currentMemberships(reader: Reader, pairs: readonly (readonly [roomId: string, userId: string])[]): Promise<MembershipRow[]> {
  const slots = pairs.map(([roomId, userId]) => slotOf(roomId, 'm.room.member', userId));
  return reader.queryIn<MembershipRow>(`SELECT ${COLUMNS} FROM memberships WHERE to_sequence = ? AND slot IN (??)`, [OPEN], slots);
}

/** The intervals of these (room, user) pairs that ended only because the room's state began anew. */
export function interruptedMemberships(reader: Reader, pairs: readonly (readonly [roomId: string, userId: string])[]): Promise<MembershipRow[]> {
  const slots = pairs.map(([roomId, userId]) => slotOf(roomId, 'm.room.member', userId));
  return reader.queryIn<MembershipRow>(
    `SELECT m.user_id, m.room_id, m.from_sequence, m.to_sequence, m.membership, m.event_id, m.partition_number, m.forgotten_at FROM memberships m JOIN rooms r ON r.room_id = m.room_id AND r.reset_sequence = m.to_sequence WHERE m.slot IN (??)`,
    [],
    slots,
  );
}

/** What other servers say of the user in rooms that this one is not in. */
export function outsideOfUser(reader: Reader, userId: string): Promise<OutsideRow[]> {
  return reader.query<OutsideRow>(`SELECT ${OUTSIDE_COLUMNS} FROM outside_memberships WHERE user_id = ?`, [userId]);
}

/** The same of these rooms, with what clients are told. */
export function outsideDetails(reader: Reader, userId: string, roomIds: readonly string[]): Promise<OutsideDetail[]> {
  return reader.queryIn<OutsideDetail>(`SELECT ${OUTSIDE_COLUMNS}, room_version, pdu, stripped_state FROM outside_memberships WHERE user_id = ? AND room_id IN (??)`, [userId], roomIds);
}

/** Up to 6 members of each of these rooms, oldest first, joined or invited ones (`here`) before those that are gone: enough for 5 heroes. */
export function eldestMembers(reader: Reader, roomIds: readonly string[]): Promise<{ room_id: string; user_id: string; here: number }[]> {
  return reader.queryIn(
    `SELECT room_id, user_id, here FROM (
       SELECT room_id, user_id, CASE WHEN membership IN ('join', 'invite') THEN 1 ELSE 0 END AS here, ROW_NUMBER() OVER (
         PARTITION BY room_id ORDER BY CASE WHEN membership IN ('join', 'invite') THEN 0 ELSE 1 END, from_sequence, user_id) AS place
       FROM memberships WHERE to_sequence = ? AND room_id IN (??)
     ) ranked WHERE place <= 6 ORDER BY room_id, place`,
    [OPEN],
    roomIds,
  );
}
