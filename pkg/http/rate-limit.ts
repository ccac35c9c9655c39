/**
 * Token buckets in memory: how often somebody may do something. Each process has its own; they tell each other what they let through (`shared-rate-limit.ts`), so that N of them
 * together let through about as much as one.
 */
import type { LimitClass, RateLimit, UserLimits } from '../../schemas/config/rate-limits.ts';
import type { Clock } from '../runtime/runtime.ts';
import { isByUser } from './limit-classes.ts';
import { MatrixError } from './matrix-error.ts';

/** What another process has let through: `name` is a bucket's (class, a space, key). */
export interface Taking {
  readonly name: string;
  readonly count: number;
}

export interface RateLimiter {
  /** Takes a token of `key` (a user ID, an address) in `limitClass`; throws 429 M_LIMIT_EXCEEDED with `retry_after_ms` and `Retry-After` when there is none. */
  take(limitClass: LimitClass, key: string): void;
  /** Takes what another process let through, even if that leaves a debt. */
  note(taking: Taking): void;
  /** Buckets kept now. */
  size(): number;
}

export interface RateLimiterOptions {
  readonly clock: Clock;
  readonly limits: Readonly<Record<LimitClass, RateLimit>>;
  /** Limits of single users, in place of those of the class. */
  readonly userLimits?: UserLimits;
  /** Off: everything passes. */
  readonly enabled: boolean;
  /** At most this many buckets are kept over all classes; the one unused for longest goes first, and starts full when it comes back. */
  readonly bucketsMax?: number;
  /** Told of each token that `take` took, from a bucket that holds at most `burst`. */
  readonly onTaken?: (name: string, burst: number) => void;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

const BUCKETS_MAX_DEFAULT = 50_000;

/** What processes let through before they heard of each other is paid back, up to this many times the burst. */
const DEBT_MAX = 4;

export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { clock } = options;
  const bucketsMax = options.bucketsMax ?? BUCKETS_MAX_DEFAULT;
  // A Map keeps insertion order: taking a bucket out and putting it back makes it the youngest.
  const buckets = new Map<string, Bucket>();

  function bucketOf(name: string, limit: RateLimit): Bucket {
    const now = clock.monotonic();
    const bucket = buckets.get(name) ?? { tokens: limit.burst, filledAt: now };
    buckets.delete(name);
    if (buckets.size >= bucketsMax) {
      const oldest = buckets.keys().next();
      if (oldest.done !== true) buckets.delete(oldest.value);
    }
    buckets.set(name, bucket);
    bucket.tokens = Math.min(limit.burst, bucket.tokens + ((now - bucket.filledAt) * limit.perSecond) / 1000);
    bucket.filledAt = now;
    return bucket;
  }

  return {
    take(limitClass, key) {
      const limit = options.enabled ? limitOf(options, limitClass, key) : 'exempt';
      if (limit === 'exempt') return;
      const name = `${limitClass} ${key}`;
      const bucket = bucketOf(name, limit);
      if (bucket.tokens < 1) throw limitExceeded(Math.ceil(((1 - bucket.tokens) / limit.perSecond) * 1000));
      bucket.tokens -= 1;
      options.onTaken?.(name, limit.burst);
    },
    note({ name, count }) {
      const space = name.indexOf(' ');
      const limitClass = name.slice(0, space);
      if (!options.enabled || !isLimitClass(options, limitClass)) return;
      const limit = limitOf(options, limitClass, name.slice(space + 1));
      if (limit === 'exempt') return;
      const bucket = bucketOf(name, limit);
      bucket.tokens = Math.max(-DEBT_MAX * limit.burst, bucket.tokens - count);
    },
    size: () => buckets.size,
  };
}

/** Who is exempt is not so where others act in their name: log-ins are counted all the same. */
function limitOf({ limits, userLimits }: RateLimiterOptions, limitClass: LimitClass, key: string): RateLimit | 'exempt' {
  const own = userLimits === undefined || userLimits.size === 0 || !isByUser(limitClass) ? undefined : userLimits.get(key);
  return own === 'exempt' ? own : (own?.[limitClass] ?? limits[limitClass]);
}

function isLimitClass({ limits }: RateLimiterOptions, name: string): name is LimitClass {
  return Object.hasOwn(limits, name);
}

/** 429 as the spec says: Client-Server API, "Rate limiting". `Retry-After` is in whole seconds. */
export function limitExceeded(retryAfterMs: number): MatrixError {
  return new MatrixError(429, 'M_LIMIT_EXCEEDED', 'Too many requests', {
    fields: { retry_after_ms: retryAfterMs },
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) },
  });
}
