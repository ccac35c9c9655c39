/**
 * Tells other servers of the presence of users here (server-server, "Presence"): those that share a room with them which is not too large. Every instance hears of the changes and sends to its
 * own destinations; changes are collected for a moment, so that many cost one query and one transaction a server.
 */
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Runtime, Timer } from '../../../pkg/runtime/runtime.ts';
import type { PresenceState, PresenceTold } from '../../../schemas/log/presence.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';
import type { EphemeralUnit } from '../sender/ephemeral.ts';
import type { HostsOfRooms } from './hosts-of-rooms.ts';

export interface PresenceSenderDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'logger'>;
  readonly serverName: string;
  readonly roomMembersMax: number;
  readonly syncQuery: Pick<SyncQuery, 'joinedRoomsOf'>;
  readonly hosts: HostsOfRooms;
  readonly send: (units: readonly EphemeralUnit[]) => void;
}

const COLLECT_MS = 1000;
/** Users whose changes wait; further ones are told with their next change. */
const WAITING_MAX = 10_000;
const AT_ONCE = 200;

/** Takes what owners tell. */
export function createPresenceSender(deps: PresenceSenderDeps): { receive(told: PresenceTold): void; close(): void } {
  const { runtime: { clock, logger }, serverName, hosts } = deps;
  const waiting = new Map<string, PresenceState>();
  let timer: Timer | undefined;

  async function tell(users: readonly (readonly [string, PresenceState])[]): Promise<void> {
    if (!(await hosts.any())) return;
    const rooms = await deps.syncQuery.joinedRoomsOf(users.map(([userId]) => userId), deps.roomMembersMax);
    const servers = await hosts.of([...new Set([...rooms.values()].flat())]);
    for (const [userId, state] of users) {
      const destinations = new Set((rooms.get(userId) ?? []).flatMap((roomId) => servers.get(roomId) ?? []));
      const edu = { edu_type: 'm.presence', content: { push: [pushOf(userId, state, clock.now())] } };
      deps.send([...destinations].map((destination) => ({ destination, key: `presence ${userId}`, edu })));
    }
  }

  async function tellAll(): Promise<void> {
    const users = [...waiting];
    waiting.clear();
    try {
      for (let at = 0; at < users.length; at += AT_ONCE) await tell(users.slice(at, at + AT_ONCE));
    } catch (error) {
      logger.warn({ error }, 'other servers are not told of presence');
    }
    timer = waiting.size === 0 ? undefined : clock.timer(COLLECT_MS, () => void tellAll());
  }

  return {
    receive({ users, list }) {
      // Lists repeat what was told before.
      if (list !== undefined) return;
      for (const { userId, ...state } of users) if (isLocalUser(userId, serverName) && (waiting.size < WAITING_MAX || waiting.has(userId))) waiting.set(userId, state);
      if (waiting.size > 0) timer ??= clock.timer(COLLECT_MS, () => void tellAll());
    },
    close: () => timer?.cancel(),
  };
}

/** Wire object: User Presence Update. */
function pushOf(userId: string, { kind, lastActiveMs, isActive, statusMsg }: PresenceState, nowMs: number): Record<string, unknown> {
  return { user_id: userId, presence: kind, last_active_ago: lastActiveMs > 0 ? Math.max(0, nowMs - lastActiveMs) : 0, currently_active: isActive, ...(statusMsg !== '' && { status_msg: statusMsg }) };
}
