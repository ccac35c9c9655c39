/**
 * Which users sync with this process, so that their owners know that they are there. Owners are told when that changes and once a minute, many users in a signal; a user who goes on syncing
 * costs nothing but a look into this map.
 */
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';
import type { PresenceKind, PresenceSeen } from '../../../schemas/log/presence.ts';

export interface PresentUsers {
  /** A device begins to wait or to ask; the result says that it has ended. `offline`: it does not let its user be seen. */
  enter(who: { readonly userId: string; readonly deviceId: string }, kind: PresenceKind): () => void;
  close(): void;
}

interface Device {
  readonly kind: Exclude<PresenceKind, 'offline'>;
  requests: number;
  endedAt: number;
}

interface User {
  readonly devices: Map<string, Device>;
  told: PresenceKind;
  toldAt: number;
}

/** A device that comes back within this time was never away. */
export const AWAY_MS = 30_000;
const TELL_AGAIN_MS = 60_000;
const SWEEP_MS = 5000;
const FLUSH_MS = 50;
const USERS_MAX = 100_000;
const DEVICES_MAX = 20;

type Told = NonNullable<PresenceSeen['users']>[number];

export function createPresentUsers(deps: {
  readonly clock: Clock;
  /** When the user was last active, as far as is known here: their owner may have forgotten it. */
  readonly lastActive: (userId: string) => number | undefined;
  readonly tell: (users: readonly Told[]) => void;
}): PresentUsers {
  const { clock } = deps;
  const users = new Map<string, User>();
  const news = new Map<string, Told>();
  let [flush, sweep]: [Timer | undefined, Timer | undefined] = [undefined, undefined];

  function tell(told: Told): void {
    news.delete(told.userId);
    news.set(told.userId, told);
    flush ??= clock.timer(FLUSH_MS, () => {
      flush = undefined;
      deps.tell([...news.values()]);
      news.clear();
    });
  }

  function look(userId: string, user: User, isAgain: boolean): void {
    const now = clock.monotonic();
    for (const [deviceId, device] of user.devices) if (device.requests <= 0 && now - device.endedAt >= AWAY_MS) user.devices.delete(deviceId);
    const kind = kindOf(user);
    const isDue = isAgain && kind !== 'offline' && now - user.toldAt >= TELL_AGAIN_MS;
    if (kind === user.told && !isDue) return;
    const lastActiveMs = kind === user.told ? deps.lastActive(userId) : undefined;
    user.told = kind;
    user.toldAt = now;
    tell({ userId, kind, ...(lastActiveMs !== undefined && { lastActiveMs }) });
    if (user.devices.size === 0) users.delete(userId);
  }

  function sweepAll(): void {
    for (const [userId, user] of users) look(userId, user, true);
    sweep = users.size === 0 ? undefined : clock.timer(SWEEP_MS, sweepAll);
  }

  return {
    enter({ userId, deviceId }, kind) {
      const known = users.get(userId);
      if (kind === 'offline') {
        if (known?.devices.delete(deviceId) === true) look(userId, known, false);
        return () => undefined;
      }
      if (known === undefined && users.size >= USERS_MAX) return () => undefined;
      const user = known ?? { devices: new Map<string, Device>(), told: 'offline' as const, toldAt: 0 };
      users.set(userId, user);
      const before = user.devices.get(deviceId);
      const device = before?.kind === kind ? before : { kind, requests: 0, endedAt: 0 };
      if (before !== device && (before !== undefined || user.devices.size < DEVICES_MAX)) user.devices.set(deviceId, device);
      device.requests += 1;
      look(userId, user, false);
      sweep ??= clock.timer(SWEEP_MS, sweepAll);
      return () => {
        device.requests -= 1;
        device.endedAt = clock.monotonic();
      };
    },
    close() {
      flush?.cancel();
      sweep?.cancel();
    },
  };
}

function kindOf({ devices }: User): PresenceKind {
  let kind: PresenceKind = 'offline';
  for (const device of devices.values()) {
    if (device.kind === 'online') return 'online';
    kind = 'unavailable';
  }
  return kind;
}
