/** m.presence of other servers: what they say of their own users who are in a room with users here goes to the owners of presence. */
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { encodePresence, PRESENCE_SEEN_CHANNEL, PRESENCE_USERS_MAX } from '../../../pkg/log/presence-signals.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { PresenceKind, PresenceSeen } from '../../../schemas/log/presence.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';

export interface PresenceReceiverDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'instanceId'>;
  readonly driver: Pick<LogDriver, 'signal'>;
  readonly syncQuery: Pick<SyncQuery, 'joinedRoomsOf'>;
  readonly roomMembersMax: number;
}

type Remote = NonNullable<PresenceSeen['remote']>[number];

/** Of one transaction; further ones are passed over. */
const USERS_MAX = 1000;
const STATUS_LENGTH_MAX = 1024;
const KINDS: readonly PresenceKind[] = ['online', 'unavailable', 'offline'];

/** Takes the contents of the units of one transaction. */
export function createPresenceReceiver({ runtime, driver, syncQuery, roomMembersMax }: PresenceReceiverDeps): (origin: string, contents: readonly unknown[]) => Promise<void> {
  return async (origin, contents) => {
    const nowMs = runtime.clock.now();
    const pushed = contents.flatMap((content) => (isJsonObject(content) && Array.isArray(content['push']) ? (content['push'] as unknown[]) : []));
    // The last one of a user counts.
    const users = new Map(pushed.slice(0, USERS_MAX).flatMap((push) => stateOf(push, origin, nowMs) ?? []).map((state) => [state.userId, state]));
    if (users.size === 0) return;
    const rooms = await syncQuery.joinedRoomsOf([...users.keys()], roomMembersMax);
    const remote = [...users.values()].filter(({ userId }) => (rooms.get(userId)?.length ?? 0) > 0);
    for (let at = 0; at < remote.length; at += PRESENCE_USERS_MAX) {
      driver.signal(PRESENCE_SEEN_CHANNEL, encodePresence({ from: runtime.instanceId, remote: remote.slice(at, at + PRESENCE_USERS_MAX) }));
    }
  };
}

function stateOf(push: unknown, origin: string, nowMs: number): Remote | undefined {
  if (!isJsonObject(push)) return undefined;
  const { user_id: userId, presence, last_active_ago: ago, status_msg: statusMsg, currently_active: isActive } = push;
  const kind = KINDS.find((one) => one === presence);
  if (!isUserId(userId) || !isLocalUser(userId, origin) || kind === undefined) return undefined;
  const lastActiveMs = typeof ago === 'number' && ago >= 0 && ago < nowMs ? Math.floor(nowMs - ago) : 0;
  return { userId, kind, lastActiveMs, isActive: kind === 'online' && isActive === true, statusMsg: typeof statusMsg === 'string' ? statusMsg.slice(0, STATUS_LENGTH_MAX).toWellFormed() : '' };
}
