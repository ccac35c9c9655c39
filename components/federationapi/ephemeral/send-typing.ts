/**
 * Tells the other servers of a room who of this one types there (server-server, "Typing Notifications"). Every instance hears the owners' notices and sends to its own destinations. Other
 * servers let a name run out by themselves, so who goes on typing is told again.
 */
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';
import type { TypingNow } from '../../../schemas/log/envelope.ts';
import type { EphemeralUnit } from '../sender/ephemeral.ts';
import type { HostsOfRooms } from './hosts-of-rooms.ts';

export interface TypingSenderDeps {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly logger: Logger;
  readonly serverName: string;
  readonly hosts: Pick<HostsOfRooms, 'of'>;
  readonly send: (units: readonly EphemeralUnit[]) => void;
}

const AGAIN_MS = 20_000;
const ROOMS_MAX = 20_000;

/** Takes the owners' notices. */
export function createTypingSender(deps: TypingSenderDeps): (notice: TypingNow) => void {
  const { clock, serverName } = deps;
  /** By room: when each user was told of. */
  const told = new Map<string, Map<string, number>>();

  /** Who began, goes on or has ended. */
  function changesOf({ roomId, userIds }: TypingNow): [userId: string, typing: boolean][] {
    const before = told.get(roomId) ?? new Map<string, number>();
    const now = clock.monotonic();
    const typing = userIds.filter((userId) => isLocalUser(userId, serverName));
    const due = typing.filter((userId) => now - (before.get(userId) ?? -AGAIN_MS) >= AGAIN_MS);
    const ended = [...before.keys()].filter((userId) => !typing.includes(userId));
    for (const userId of due) before.set(userId, now);
    for (const userId of ended) before.delete(userId);
    if (told.size >= ROOMS_MAX) told.clear();
    if (before.size > 0) told.set(roomId, before);
    else told.delete(roomId);
    return [...due.map((userId) => [userId, true] as [string, boolean]), ...ended.map((userId) => [userId, false] as [string, boolean])];
  }

  async function tell(roomId: string, changes: readonly [string, boolean][]): Promise<void> {
    const hosts = (await deps.hosts.of([roomId])).get(roomId) ?? [];
    deps.send(hosts.flatMap((destination) => changes.map(([userId, typing]) => ({
      destination, key: `typing ${roomId} ${userId}`, edu: { edu_type: 'm.typing', content: { room_id: roomId, user_id: userId, typing } },
    }))));
  }

  return (notice) => {
    const changes = changesOf(notice);
    if (changes.length > 0) tell(notice.roomId, changes).catch((error: unknown) => deps.logger.warn({ roomId: notice.roomId, error }, 'other servers are not told who types'));
  };
}
