/** How often one user, address or other server may do what, unless settings say otherwise. */
import type { LimitClass, RateLimit } from '../../schemas/config/rate-limits.ts';

/**
 * `login`, `registration` and `refresh` are counted by address, `login-account` by the account that is tried, the others by user. `account`: passwords and tokens of one's account;
 * `reading`: what is cheap to answer; `lookup`: what may take long, or ask other servers;
 * `encryption`: what clients do by themselves to share keys: in a big room they come in many requests, and late keys are messages that cannot be read.
 * `server-invite`: invites by one other server; `invited-user`: invites of one user here by all other servers.
 */
export const LIMITS_DEFAULT: Readonly<Record<LimitClass, RateLimit>> = {
  login: { perSecond: 0.5, burst: 20 },
  'login-account': { perSecond: 0.1, burst: 10 },
  registration: { perSecond: 0.2, burst: 10 },
  refresh: { perSecond: 2, burst: 50 },
  account: { perSecond: 0.2, burst: 10 },
  message: { perSecond: 10, burst: 100 },
  membership: { perSecond: 2, burst: 30 },
  'room-creation': { perSecond: 0.2, burst: 10 },
  ephemeral: { perSecond: 10, burst: 50 },
  settings: { perSecond: 5, burst: 50 },
  reading: { perSecond: 20, burst: 200 },
  lookup: { perSecond: 2, burst: 30 },
  report: { perSecond: 0.05, burst: 10 },
  encryption: { perSecond: 20, burst: 300 },
  'server-invite': { perSecond: 2, burst: 200 },
  'invited-user': { perSecond: 0.1, burst: 30 },
};

/** The classes that are counted by the user who asks: exemptions hold for these. */
export function isByUser(limitClass: LimitClass): boolean {
  return !['login', 'login-account', 'registration', 'refresh', 'server-invite', 'invited-user'].includes(limitClass);
}
