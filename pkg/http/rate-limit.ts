/** Token buckets in memory: how often somebody may do something. Counted per process, so N instances together let N times as much through. */
import type { Clock } from '../runtime/runtime.ts';
import { MatrixError } from './matrix-error.ts';

export interface RateLimit {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** How many are there at first, and at most. */
  readonly burst: number;
}

export interface RateLimiter<Class extends string> {
  /** Takes a token of `key` (a user ID, an address) in `limitClass`; throws 429 M_LIMIT_EXCEEDED with `retry_after_ms` and `Retry-After` when there is none. */
  take(limitClass: Class, key: string): void;
  /** Buckets kept now. */
  size(): number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

const BUCKETS_MAX_DEFAULT = 50_000;

/**
 * `enabled: false` lets everything through. At most `bucketsMax` buckets are kept over all classes; the one unused for longest goes first, and
 * starts full when it comes back.
 */
export function createRateLimiter<Class extends string>(options: {
  clock: Clock;
  limits: Readonly<Record<Class, RateLimit>>;
  enabled: boolean;
  bucketsMax?: number;
}): RateLimiter<Class> {
  const { clock, limits } = options;
  const bucketsMax = options.bucketsMax ?? BUCKETS_MAX_DEFAULT;
  // A Map keeps insertion order: taking a bucket out and putting it back makes it the youngest.
  const buckets = new Map<string, Bucket>();

  function bucketOf(name: string, limit: RateLimit, now: number): Bucket {
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
      if (!options.enabled) return;
      const limit = limits[limitClass];
      const bucket = bucketOf(`${limitClass} ${key}`, limit, clock.monotonic());
      if (bucket.tokens >= 1) bucket.tokens -= 1;
      else throw limitExceeded(Math.ceil(((1 - bucket.tokens) / limit.perSecond) * 1000));
    },
    size: () => buckets.size,
  };
}

/** 429 as the spec says: Client-Server API, "Rate limiting". `Retry-After` is in whole seconds. */
export function limitExceeded(retryAfterMs: number): MatrixError {
  return new MatrixError(429, 'M_LIMIT_EXCEEDED', 'Too many requests', {
    fields: { retry_after_ms: retryAfterMs },
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) },
  });
}
