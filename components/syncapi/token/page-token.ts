/**
 * Tokens of a room's timeline (`prev_batch`, and `from`, `to`, `start`, `end` of /messages): a boundary between two order keys. Boundary k lies after the event with order
 * key k and before the next: going back from it starts with k, going forward starts with what follows k. So one token serves both directions.
 */
import { invalidToken } from './sync-token.ts';

/** `t` and the order key, `n` before negative ones (history from before this server took part). */
export function encodePageToken(boundary: number): string {
  return boundary < 0 ? `tn${-boundary}` : `t${boundary}`;
}

/** The boundary of a page token. Throws 400 M_INVALID_PARAM for what is none. */
export function decodePageToken(token: string): number {
  const match = /^t(n?)(0|[1-9]\d{0,15})$/.exec(token);
  const boundary = Number(match?.[2]);
  if (!match || !Number.isSafeInteger(boundary) || (match[1] === 'n' && boundary === 0)) throw invalidToken();
  return match[1] === 'n' ? -boundary : boundary;
}
