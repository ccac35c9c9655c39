/** In which rooms users see each other's presence: those that they have joined and that are not too large. Remembered for a while, so that many changes cost few queries. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { membersOfSmallRooms, smallRoomsOf } from '../storage/memberships.ts';

export interface RoomsOfUsers {
  /** By user ID; all in one query, as far as they are not remembered. */
  of(userIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  /** Who is in these rooms, as far as they are not too large; not remembered. */
  membersOf(roomIds: readonly string[]): Promise<string[]>;
  /** Their memberships have changed. */
  forget(userIds: readonly string[]): void;
  forgetAll(): void;
}

/** A change that this process has not heard of counts after this time. */
const REMEMBERED_MS = 60_000;
const ENTRIES_MAX = 500_000;

export function createRoomsOfUsers(deps: { readonly clock: Pick<Clock, 'monotonic'>; readonly database: Reader; readonly roomMembersMax: number }): RoomsOfUsers {
  const { clock, database, roomMembersMax } = deps;
  const known = createRecent<{ readonly rooms: ReadonlySet<string>; readonly until: number }>(ENTRIES_MAX, { weigh: ({ rooms }) => 1 + rooms.size, lazy: true });
  let version = 0;
  return {
    async of(userIds) {
      const now = clock.monotonic();
      const found = new Map<string, ReadonlySet<string>>();
      for (const userId of userIds) {
        const one = known.get(userId);
        if (one !== undefined && one.until > now) found.set(userId, one.rooms);
      }
      const missing = userIds.filter((userId) => !found.has(userId));
      if (missing.length === 0) return found;
      const before = version;
      const rooms = new Map<string, Set<string>>(missing.map((userId) => [userId, new Set()]));
      for (const row of await smallRoomsOf(database, missing, roomMembersMax)) rooms.get(row.user_id)?.add(row.room_id);
      for (const [userId, set] of rooms) {
        found.set(userId, set);
        // A change meanwhile may not be in it.
        if (version === before) known.set(userId, { rooms: set, until: clock.monotonic() + REMEMBERED_MS });
      }
      return found;
    },
    membersOf: (roomIds) => membersOfSmallRooms(database, roomIds, roomMembersMax),
    forget(userIds) {
      version += 1;
      for (const userId of userIds) known.delete(userId);
    },
    forgetAll() {
      version += 1;
      known.clear();
    },
  };
}
