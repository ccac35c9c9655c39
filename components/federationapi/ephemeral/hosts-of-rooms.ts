/** Which other servers are in rooms, for what is ephemeral: as it was some seconds ago is good enough. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { readJoinedHosts } from '../storage/joined-hosts.ts';

export interface HostsOfRooms {
  /** By room ID; all in one query, as far as they are not remembered. */
  of(roomIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Whether any other server is in any room. */
  any(): Promise<boolean>;
}

const REMEMBERED_MS = 10_000;
const ROOMS_MAX = 20_000;

export function createHostsOfRooms({ clock, database }: { readonly clock: Pick<Clock, 'monotonic'>; readonly database: Reader }): HostsOfRooms {
  const known = new Map<string, { readonly hosts: readonly string[]; readonly until: number }>();
  let isAny = { value: false, until: -1 };
  return {
    async of(roomIds) {
      const now = clock.monotonic();
      const missing = roomIds.filter((roomId) => (known.get(roomId)?.until ?? -1) < now);
      if (known.size + missing.length > ROOMS_MAX) known.clear();
      const wanted = known.size === 0 ? roomIds : missing;
      if (wanted.length > 0) for (const [roomId, hosts] of await readJoinedHosts(database, wanted)) known.set(roomId, { hosts: [...hosts.keys()], until: now + REMEMBERED_MS });
      return new Map(roomIds.map((roomId) => [roomId, known.get(roomId)?.hosts ?? []]));
    },
    async any() {
      const now = clock.monotonic();
      if (isAny.until < now) isAny = { value: (await database.query('SELECT room_id FROM joined_hosts LIMIT 1')).length > 0, until: now + REMEMBERED_MS };
      return isAny.value;
    },
  };
}
