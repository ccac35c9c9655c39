/**
 * Rate limits that hold over all processes of a server. Each counts in its own memory, so that no request waits for another process or the database, and says by a signal what it let
 * through: `FLUSH_MS` after the first at the latest, sooner when a bucket is used fast, and nothing while nobody asks. The others take it from their buckets. Signals may be lost:
 * then a little more passes. A burst that hits all processes within one `FLUSH_MS` passes them all in part, and is paid back, because buckets can be in debt.
 */
import type { LimitClass, RateLimit, UserLimits } from '../../schemas/config/rate-limits.ts';
import type { LogDriver, Subscription } from '../log/log.ts';
import type { Runtime, Timer } from '../runtime/runtime.ts';
import { LIMITS_DEFAULT } from './limit-classes.ts';
import { createRateLimiter, type RateLimiter, type Taking } from './rate-limit.ts';

export const RATE_LIMIT_CHANNEL = 'rate-limits';

const FLUSH_MS = 100;
/** A bucket of which this share was taken since the last signal is not kept waiting. */
const HURRY_SHARE = 1 / 8;
/** Buckets named in one signal; signals are small. */
const NAMES_MAX = 500;

export interface SharedRateLimiter extends RateLimiter {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface SharedRateLimiterOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'instanceId'>;
  /** To the other processes; undefined: there are none. */
  readonly driver: Pick<LogDriver, 'signal' | 'listen'> | undefined;
  readonly enabled: boolean;
  /** Where limits differ from the defaults. */
  readonly classLimits?: Partial<Readonly<Record<LimitClass, RateLimit>>>;
  readonly userLimits?: UserLimits;
}

export function createSharedRateLimiter({ runtime, driver, enabled, classLimits, userLimits }: SharedRateLimiterOptions): SharedRateLimiter {
  const { clock, instanceId } = runtime;
  const taken = new Map<string, number>();
  let timer: Timer | undefined;
  let subscription: Subscription | undefined;

  function flush(): void {
    timer?.cancel();
    timer = undefined;
    const all = [...taken];
    taken.clear();
    for (let i = 0; i < all.length; i += NAMES_MAX) driver?.signal(RATE_LIMIT_CHANNEL, encodeTakings(instanceId, all.slice(i, i + NAMES_MAX)));
  }

  function onTaken(name: string, burst: number): void {
    // Nobody is told before `start`, nor after `stop`.
    if (subscription === undefined) return;
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    if (count >= burst * HURRY_SHARE) flush();
    else timer ??= clock.timer(FLUSH_MS, flush);
  }

  const limiter = createRateLimiter({ clock, enabled, limits: { ...LIMITS_DEFAULT, ...classLimits }, onTaken, ...(userLimits && { userLimits }) });
  return {
    ...limiter,
    async start() {
      if (!enabled || driver === undefined) return;
      subscription = await driver.listen(RATE_LIMIT_CHANNEL, (value) => {
        const { from, takings } = decodeTakings(value);
        if (from !== instanceId) for (const taking of takings) limiter.note(taking);
      });
    },
    async stop() {
      flush();
      const open = subscription;
      subscription = undefined;
      await open?.close();
    },
  };
}

function encodeTakings(from: string, counts: readonly (readonly [name: string, count: number])[]): Uint8Array {
  return Buffer.from(JSON.stringify({ from, counts }));
}

/** Nothing for what nobody here has sent. */
function decodeTakings(value: Uint8Array): { from: unknown; takings: Taking[] } {
  try {
    const { from, counts } = JSON.parse(Buffer.from(value).toString()) as { from: unknown; counts: unknown[] };
    const takings = counts.filter((one): one is [string, number] => Array.isArray(one) && typeof one[0] === 'string' && Number.isSafeInteger(one[1]) && one[1] > 0);
    return { from, takings: takings.map(([name, count]) => ({ name, count })) };
  } catch {
    return { from: undefined, takings: [] };
  }
}
