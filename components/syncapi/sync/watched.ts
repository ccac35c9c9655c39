import type { MembershipRow } from '../storage/rows.ts';
import { OPEN } from '../storage/rows.ts';

/** Rooms that a user is in now: what a waiting client must hear of. Invites and leaves reach it under its user ID. */
export function currentMembershipsOf(memberships: ReadonlyMap<string, readonly MembershipRow[]>): string[] {
  const rooms: string[] = [];
  for (const [roomId, intervals] of memberships) {
    const last = intervals.at(-1);
    if (last?.to_sequence === OPEN && last.membership === 'join') rooms.push(roomId);
  }
  return rooms;
}
