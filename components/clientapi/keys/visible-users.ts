/** Whose devices a user of this server may learn of (setting `device_keys_guard`). */
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Context } from '../context.ts';

/** Users without a common room whose invites are looked at one by one. */
const INVITES_MAX = 100;

/** Those of the users that stay; of the others it is as if they were not there. Users of other servers are theirs to guard. */
export async function visibleUsers<T>({ serverName, settings, syncQuery }: Pick<Context, 'serverName' | 'settings' | 'syncQuery'>, viewer: string, users: ReadonlyMap<string, T>): Promise<ReadonlyMap<string, T>> {
  if (settings.deviceKeysGuard !== 'everyone') return users;
  const guarded = [...users.keys()].filter((userId) => userId !== viewer && isLocalUser(userId, serverName));
  if (guarded.length === 0) return users;
  const rooms = new Set(await syncQuery.joinedRooms(viewer));
  const known = await syncQuery.joinedRoomsOf(guarded, Number.MAX_SAFE_INTEGER);
  const hidden = new Set(guarded.filter((userId) => !(known.get(userId) ?? []).some((roomId) => rooms.has(roomId))));
  for (const userId of [...hidden].slice(0, INVITES_MAX)) {
    const standing = await syncQuery.standing(userId);
    if ([...standing].some(([roomId, membership]) => membership === 'invite' && rooms.has(roomId))) hidden.delete(userId);
  }
  return new Map([...users].filter(([userId]) => !hidden.has(userId)));
}
