/** How often one user or address may do what (`pkg/http/limit-classes.ts`). */
import type { RateLimiter } from '../../../pkg/http/rate-limit.ts';

export type { LimitClass } from '../../../schemas/config/rate-limits.ts';
export type RequestLimits = Pick<RateLimiter, 'take'>;
