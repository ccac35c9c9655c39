/** Which servers have been gone for long, as it was some seconds ago: in large rooms many are, and nothing has to be queued for those that will catch up anyway. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { readMarked } from '../storage/destination-rooms.ts';
import { readGone } from '../storage/destinations.ts';
import type { HostCache } from './host-cache.ts';

export interface GoneServers {
  /** By room ID, the servers for which nothing of the room has to be queued: asked once a batch, after its records were read and its rooms loaded. Nothing is read when no server in the rooms is gone. */
  markedIn(roomIds: ReadonlySet<string>, cache: Pick<HostCache, 'get'>): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
}

const REMEMBERED_MS = 10_000;
const NONE: ReadonlyMap<string, ReadonlySet<string>> = new Map();

export function createGoneServers({ clock, database, goneMs }: { readonly clock: Pick<Clock, 'now'>; readonly database: Pick<Database, 'query' | 'queryIn'>; readonly goneMs: number }): GoneServers {
  let gone: ReadonlySet<string> = new Set();
  let readAtMs = Number.NEGATIVE_INFINITY;
  return {
    async markedIn(roomIds, cache) {
      const shared = [...roomIds].filter((roomId) => (cache.get(roomId)?.size ?? 0) > 0);
      if (shared.length === 0) return NONE;
      const nowMs = clock.now();
      if (Math.abs(nowMs - readAtMs) >= Math.min(REMEMBERED_MS, goneMs)) {
        gone = await readGone(database, nowMs - goneMs);
        readAtMs = nowMs;
      }
      const affected = gone.size === 0 ? [] : shared.filter((roomId) => isAnyIn(gone, cache.get(roomId)!));
      return affected.length === 0 ? NONE : readMarked(database, affected);
    },
  };
}

function isAnyIn(gone: ReadonlySet<string>, hosts: ReadonlyMap<string, unknown>): boolean {
  if (gone.size <= hosts.size) return [...gone].some((name) => hosts.has(name));
  for (const host of hosts.keys()) if (gone.has(host)) return true;
  return false;
}
