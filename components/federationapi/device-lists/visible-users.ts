/** Of which users here another server may learn devices (setting `device_keys_guard`). */
import type { FederationapiDeps } from '../deps.ts';
import { readJoinedHosts } from '../storage/joined-hosts.ts';

/** Users without a common room whose invites are looked at one by one. */
const INVITES_MAX = 100;

export type GuardDeps = Pick<FederationapiDeps, 'settings' | 'syncQuery' | 'database'>;

/** Those of these users of this server that are in, or invited to, a room with a member of `origin`; all of them without the guard. */
export async function visibleUsers({ settings, syncQuery, database }: GuardDeps, origin: string, userIds: readonly string[]): Promise<ReadonlySet<string>> {
  if ((settings.deviceKeysGuard ?? 'off') === 'off' || userIds.length === 0) return new Set(userIds);
  const isShared = async (roomsOf: ReadonlyMap<string, readonly string[]>): Promise<Set<string>> => {
    const roomIds = [...new Set([...roomsOf.values()].flat())];
    const hosts = roomIds.length === 0 ? new Map<string, ReadonlyMap<string, number>>() : await readJoinedHosts(database, roomIds);
    return new Set([...roomsOf].filter(([, rooms]) => rooms.some((roomId) => hosts.get(roomId)?.has(origin) === true)).map(([userId]) => userId));
  };
  const visible = await isShared(await syncQuery.joinedRoomsOf(userIds, Number.MAX_SAFE_INTEGER));
  const invites = new Map<string, string[]>();
  for (const userId of userIds.filter((one) => !visible.has(one)).slice(0, INVITES_MAX)) {
    invites.set(userId, [...(await syncQuery.standing(userId))].filter(([, membership]) => membership === 'invite').map(([roomId]) => roomId));
  }
  return new Set([...visible, ...(await isShared(invites))]);
}
