/** How often one user or address may do what: off with the setting `rateLimits`. */
import { createRateLimiter, type RateLimit, type RateLimiter } from '../../../pkg/http/rate-limit.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';

/** `login` and `registration` are counted by address, `login-account` by the account that is tried, the others by user. */
export type LimitClass = 'login' | 'login-account' | 'registration' | 'message' | 'membership' | 'room-creation' | 'ephemeral' | 'settings';
export type RequestLimits = RateLimiter<LimitClass>;

const LIMITS: Readonly<Record<LimitClass, RateLimit>> = {
  login: { perSecond: 0.5, burst: 20 },
  'login-account': { perSecond: 0.1, burst: 10 },
  registration: { perSecond: 0.2, burst: 10 },
  message: { perSecond: 10, burst: 100 },
  membership: { perSecond: 2, burst: 30 },
  'room-creation': { perSecond: 0.2, burst: 10 },
  ephemeral: { perSecond: 10, burst: 50 },
  settings: { perSecond: 5, burst: 50 },
};

export function createRequestLimits(clock: Clock, enabled: boolean): RequestLimits {
  return createRateLimiter({ clock, limits: LIMITS, enabled });
}
