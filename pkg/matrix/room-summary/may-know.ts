/** PURE. Who may know of a room without being in it (Client-Server API, GET /rooms/{roomId}/hierarchy and /room_summary; Server-Server API, GET /hierarchy). */
import type { RoomSummary } from './room-summary.ts';

const OPEN_RULES = new Set(['public', 'knock', 'knock_restricted']);

/** Whether everybody may: anybody can join, knock or read. */
export function isOpenToAll(room: Pick<RoomSummary, 'join_rule' | 'world_readable'>): boolean {
  // A room of the directory that does not say has the rule `public`.
  return room.world_readable || OPEN_RULES.has(room.join_rule ?? 'public');
}

export interface Asking {
  /** Of the user in the room; undefined: never in it. */
  readonly membership: string | undefined;
  /** Whether the user is joined to a room. */
  readonly isJoinedTo: (roomId: string) => boolean;
}

/** Whether a user may: as a member, invited, or with the right to become one. Who is banned may read what all can read. */
export function userMayKnow(room: RoomSummary, { membership, isJoinedTo }: Asking): boolean {
  if (membership === 'join' || membership === 'invite') return true;
  if (membership === 'ban') return room.world_readable;
  return isOpenToAll(room) || isAllowedBy(room, isJoinedTo);
}

/** Whether the room is restricted, and one of the rooms that it names lets in. */
export function isAllowedBy(room: RoomSummary, isIn: (roomId: string) => boolean): boolean {
  return room.join_rule === 'restricted' && (room.allowed_room_ids ?? []).some(isIn);
}
