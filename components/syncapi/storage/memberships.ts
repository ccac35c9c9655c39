/** Who was what in which room, and when. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import { OPEN, slotOf, type MembershipRow, type OutsideDetail, type OutsideRow } from './rows.ts';

const COLUMNS = 'user_id, room_id, from_sequence, to_sequence, membership, event_id, partition_number, forgotten_at';
const OUTSIDE_COLUMNS = 'user_id, room_id, partition_number, sequence, membership, event_id, forgotten_at';

const MEMBERSHIPS_OF_USERS = { sql: `SELECT ${COLUMNS} FROM memberships WHERE user_id IN (??) ORDER BY user_id, room_id, from_sequence`, by: 'user_id' };
const OUTSIDE_OF_USERS = { sql: `SELECT ${OUTSIDE_COLUMNS} FROM outside_memberships WHERE user_id IN (??)`, by: 'user_id' };

/** All that one user ever was, by room; the intervals of a room in order. Profile changes make no interval of their own. */
export async function membershipsOfUser(reader: Reader, userId: string): Promise<Map<string, MembershipRow[]>> {
  const rows = await gatherIn<MembershipRow>(reader, MEMBERSHIPS_OF_USERS, [userId]);
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

/** Who ever was anything in the room. */
export async function membersEver(reader: Pick<Reader, 'query'>, roomId: string): Promise<string[]> {
  const rows = await reader.query<{ user_id: string }>('SELECT DISTINCT user_id FROM memberships WHERE room_id = ?', [roomId]);
  return rows.map((row) => row.user_id);
}

/** What other servers say of the user in rooms that this one is not in. */
export function outsideOfUser(reader: Reader, userId: string): Promise<readonly OutsideRow[]> {
  return gatherIn<OutsideRow>(reader, OUTSIDE_OF_USERS, [userId]);
}

/** The same of these rooms, with what clients are told. */
export function outsideDetails(reader: Reader, userId: string, roomIds: readonly string[]): Promise<OutsideDetail[]> {
  return reader.queryIn<OutsideDetail>(`SELECT ${OUTSIDE_COLUMNS}, room_version, pdu, stripped_state FROM outside_memberships WHERE user_id = ? AND room_id IN (??)`, [userId], roomIds);
}

/** Rooms of at most `membersMax` members that these users are joined to. */
export function smallRoomsOf(reader: Reader, userIds: readonly string[], membersMax: number): Promise<{ user_id: string; room_id: string }[]> {
  return userIds.length === 0 ? Promise.resolve([]) : reader.queryIn(
    `SELECT m.user_id, m.room_id FROM memberships m JOIN rooms r ON r.room_id = m.room_id
     WHERE m.to_sequence = ? AND m.membership = 'join' AND r.joined_count <= ? AND m.user_id IN (??)`, [OPEN, membersMax], userIds);
}

/** Who is joined to one of these rooms, of those that have at most `membersMax` members. */
export async function membersOfSmallRooms(reader: Reader, roomIds: readonly string[], membersMax: number): Promise<string[]> {
  if (roomIds.length === 0) return [];
  const rows = await reader.queryIn<{ user_id: string }>(
    `SELECT DISTINCT m.user_id FROM rooms r JOIN memberships m ON m.room_id = r.room_id AND m.to_sequence = ? AND m.membership = 'join'
     WHERE r.joined_count <= ? AND r.room_id IN (??)`, [OPEN, membersMax], roomIds);
  return [...new Set(rows.map((row) => row.user_id))];
}

/** Which members: those that are in the room or asked into it, or those that are gone from it. */
export type Presence = 'here' | 'gone';

const ELDEST = { here: eldestSql(['join', 'invite']), gone: eldestSql(['leave', 'ban']) };

/**
 * Of each of these rooms the eldest members, oldest first: 6 of them at least where there are as many, enough for 5 heroes beside the user. A room of ten thousand costs what a small one
 * costs: only members are read that are no younger than the sixth of their kind.
 */
export function eldestMembers(reader: Reader, roomIds: readonly string[], presence: Presence): Promise<{ room_id: string; user_id: string }[]> {
  return roomIds.length === 0 ? Promise.resolve([]) : reader.queryIn(ELDEST[presence], [], roomIds);
}

function eldestSql(kinds: readonly [string, string]): string {
  const open = `to_sequence = ${OPEN}`;
  return `WITH edges AS MATERIALIZED (
      SELECT r.room_id, k.membership, COALESCE((
        SELECT x.from_sequence FROM memberships x WHERE x.room_id = r.room_id AND x.${open} AND x.membership = k.membership ORDER BY x.from_sequence LIMIT 1 OFFSET 5
      ), ${OPEN}) AS edge
      FROM rooms r CROSS JOIN (SELECT '${kinds[0]}' AS membership UNION ALL SELECT '${kinds[1]}') k WHERE r.room_id IN (??)
    )
    SELECT m.room_id, m.user_id FROM edges e JOIN memberships m ON m.room_id = e.room_id AND m.${open} AND m.membership = e.membership AND m.from_sequence <= e.edge
    ORDER BY m.room_id, m.from_sequence, m.user_id`;
}
