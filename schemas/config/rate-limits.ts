/** How often clients may do what, and other servers: classes of requests that are limited alike. */

export const LIMIT_CLASSES = [
  'login', 'login-account', 'registration', 'refresh', 'account', 'message', 'membership', 'room-creation', 'ephemeral', 'settings', 'reading', 'lookup', 'report', 'encryption', 'server-invite', 'invited-user',
] as const;
export type LimitClass = (typeof LIMIT_CLASSES)[number];

export interface RateLimit {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** How many are there at first, and at most. */
  readonly burst: number;
}

/** Limits of their own for users; `exempt`: none for what they do as themselves. */
export type UserLimits = ReadonlyMap<string, 'exempt' | Partial<Readonly<Record<LimitClass, RateLimit>>>>;
