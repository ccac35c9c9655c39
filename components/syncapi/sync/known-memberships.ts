/**
 * Memberships of users who are in many rooms, remembered from one look to the next. What tells whether they are still true is in the shared tables (`storage/membership-changes.ts`), and is asked at each
 * look; so nothing here is ever out of date, in whatever process. Of a user in few rooms the rows are read at once: that costs no more than to ask.
 */
import { createRecent } from '../../../pkg/assert/recent.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { membershipVersion } from '../storage/membership-changes.ts';
import { membershipsOfUser } from '../storage/memberships.ts';
import type { MembershipRow } from '../storage/rows.ts';

type Memberships = ReadonlyMap<string, readonly MembershipRow[]>;

/** Who is, or was, in so many rooms is in many: what is found in their memberships is worth keeping. */
export const MANY_ROOMS = 50;

export interface KnownMemberships {
  /** As `membershipsOfUser`; the same object while nothing has changed. */
  of(userId: string): Promise<Memberships>;
  /** They have changed, as a process says whose version keeps no places. */
  forget(userIds: readonly string[]): void;
}

/** `roomsMin`: who is, or was, in fewer rooms is not remembered. `roomsMax`: how many are remembered of all users together; the least recently asked for go first. */
export function createKnownMemberships(database: Reader, { roomsMin, roomsMax }: { readonly roomsMin: number; readonly roomsMax: number }): KnownMemberships {
  /** Without memberships: known to be many, and to be remembered when they are asked for again. */
  const known = createRecent<{ readonly version?: string; readonly memberships?: Memberships }>(roomsMax, { weigh: ({ memberships }) => memberships?.size ?? 1 });
  return {
    async of(userId) {
      const entry = known.get(userId);
      const version = entry && (await membershipVersion(database, userId));
      if (entry?.memberships !== undefined && entry.version === version) return entry.memberships;
      const memberships = await membershipsOfUser(database, userId);
      if (memberships.size < roomsMin) known.delete(userId);
      else known.set(userId, version === undefined ? {} : { version, memberships });
      return memberships;
    },
    forget: (userIds) => userIds.forEach(known.delete),
  };
}
