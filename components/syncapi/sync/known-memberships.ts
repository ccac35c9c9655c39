/**
 * Memberships of users who are in many rooms, remembered from one look to the next. What tells whether they are still true is in the shared tables (`storage/membership-changes.ts`), and is asked at each
 * look; so nothing here is ever out of date, in whatever process. Of a user in few rooms the rows are read at once: that costs no more than to ask.
 */
import type { Reader } from '../../../pkg/storage/database.ts';
import { membershipVersion } from '../storage/membership-changes.ts';
import { membershipsOfUser } from '../storage/memberships.ts';
import type { MembershipRow } from '../storage/rows.ts';

type Memberships = ReadonlyMap<string, readonly MembershipRow[]>;

export interface KnownMemberships {
  /** As `membershipsOfUser`; the same object while nothing has changed. */
  of(userId: string): Promise<Memberships>;
  /** They have changed, as a process says whose version keeps no places. */
  forget(userIds: readonly string[]): void;
}

/** `roomsMin`: who is, or was, in fewer rooms is not remembered. `roomsMax`: how many are remembered of all users together; the least recently asked for go first. */
export function createKnownMemberships(database: Reader, { roomsMin, roomsMax }: { readonly roomsMin: number; readonly roomsMax: number }): KnownMemberships {
  /** Without `version`: known to be many, and to be remembered when they are asked for again. */
  const known = new Map<string, { readonly version?: string; readonly memberships: Memberships; readonly size: number }>();
  let rooms = 0;

  function drop(userId: string): void {
    rooms -= known.get(userId)?.size ?? 0;
    known.delete(userId);
  }

  function remember(userId: string, memberships: Memberships, version?: string): void {
    drop(userId);
    const size = version === undefined ? 1 : memberships.size;
    if (memberships.size < roomsMin || size > roomsMax) return;
    known.set(userId, version === undefined ? { memberships: new Map(), size } : { version, memberships, size });
    rooms += size;
    for (const oldest of known.keys()) {
      if (rooms <= roomsMax) return;
      drop(oldest);
    }
  }

  return {
    async of(userId) {
      const entry = known.get(userId);
      const version = entry === undefined ? undefined : await membershipVersion(database, userId);
      const isTrue = version !== undefined && entry?.version === version;
      const memberships = isTrue ? entry.memberships : await membershipsOfUser(database, userId);
      remember(userId, memberships, version);
      return memberships;
    },
    forget: (userIds) => userIds.forEach(drop),
  };
}
