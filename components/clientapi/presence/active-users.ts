/** Tells the owners of users who do something, that they do: each user once a minute at most, many users in a signal. */
import type { LogDriver } from '../../../pkg/log/log.ts';
import { encodePresence, PRESENCE_SEEN_CHANNEL, PRESENCE_USERS_MAX } from '../../../pkg/log/presence-signals.ts';
import type { Runtime, Timer } from '../../../pkg/runtime/runtime.ts';
import type { LimitClass } from '../../../schemas/config/rate-limits.ts';

export interface ActiveUsers {
  /** The user has sent a request of this class. */
  note(userId: string, limitClass: LimitClass): void;
}

const EVERY_MS = 60_000;
const FLUSH_MS = 50;
const REMEMBERED_MAX = 100_000;
/** What only somebody does who is there (Client-Server API, "Last active ago"). */
const ACTIONS: ReadonlySet<LimitClass> = new Set<LimitClass>(['message', 'ephemeral', 'membership', 'room-creation']);

export function createActiveUsers({ runtime: { clock, instanceId }, driver }: { readonly runtime: Pick<Runtime, 'clock' | 'instanceId'>; readonly driver: Pick<LogDriver, 'signal'> }): ActiveUsers {
  const toldAt = new Map<string, number>();
  let news: string[] = [];
  let flush: Timer | undefined;
  return {
    note(userId, limitClass) {
      if (!ACTIONS.has(limitClass)) return;
      const now = clock.monotonic();
      if (now - (toldAt.get(userId) ?? -EVERY_MS) < EVERY_MS) return;
      if (toldAt.size >= REMEMBERED_MAX) toldAt.clear();
      toldAt.set(userId, now);
      news.push(userId);
      flush ??= clock.timer(FLUSH_MS, () => {
        flush = undefined;
        for (let at = 0; at < news.length; at += PRESENCE_USERS_MAX) driver.signal(PRESENCE_SEEN_CHANNEL, encodePresence({ from: instanceId, active: news.slice(at, at + PRESENCE_USERS_MAX) }));
        news = [];
      });
    },
  };
}
