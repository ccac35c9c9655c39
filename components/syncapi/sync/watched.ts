import type { MembershipRow } from '../storage/rows.ts';
import { OPEN } from '../storage/rows.ts';
import { MANY_ROOMS } from './known-memberships.ts';

type Memberships = ReadonlyMap<string, readonly MembershipRow[]>;

/** Of many rooms, whose memberships are remembered: the same object comes again. */
const found = new WeakMap<Memberships, readonly string[]>();

/** Rooms that a user is in now: what a waiting client must hear of. Invites and leaves reach it under its user ID. */
export function currentMembershipsOf(memberships: Memberships): readonly string[] {
  if (memberships.size < MANY_ROOMS) return joinedRoomsOf(memberships);
  const known = found.get(memberships) ?? joinedRoomsOf(memberships);
  found.set(memberships, known);
  return known;
}

function joinedRoomsOf(memberships: Memberships): string[] {
  const rooms: string[] = [];
  for (const [roomId, intervals] of memberships) {
    const last = intervals.at(-1);
    if (last?.to_sequence === OPEN && last.membership === 'join') rooms.push(roomId);
  }
  return rooms;
}
