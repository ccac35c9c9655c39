/** User IDs (spec: appendices, "User Identifiers"). */
import { fitsIdLimit } from './byte-length.ts';
import { domainOf, isDomainId, localpartOf } from './domain-of.ts';

const LOCALPART = /^[a-z0-9._=\-/+]+$/;
const COMPLIANT_LOCALPART = /^[\u0021-\u007e]+$/;

/** `@localpart:serverName`. Does not validate. */
export function userId(localpart: string, serverName: string): string {
  return `@${localpart}:${serverName}`;
}

/** Whether `id` must be accepted as a user ID in events: the historical grammar, in which a localpart is anything without `:` and NUL, even empty. */
export function isUserId(id: unknown): id is string {
  return typeof id === 'string' && isDomainId(id, '@');
}

/** Whether `id` has the grammar of today, which new users must have. */
export function isStrictUserId(id: string): boolean {
  return isDomainId(id, '@') && LOCALPART.test(localpartOf(id));
}

/** Whether `id` may be shown to clients outside events: localpart not empty and of visible ASCII characters. */
export function isCompliantUserId(id: string): boolean {
  return isDomainId(id, '@') && COMPLIANT_LOCALPART.test(localpartOf(id));
}

/** Whether the user belongs to `serverName`. Does not validate. */
export function isLocalUser(id: string, serverName: string): boolean {
  return domainOf(id) === serverName;
}

/**
 * Why a new account cannot have this localpart, as one sentence; undefined when it can. `_` at the start is left to application services by convention of
 * callers, not here.
 */
export function localpartProblem(localpart: string, serverName: string): string | undefined {
  if (localpart === '') return 'The user name is empty';
  if (!LOCALPART.test(localpart)) return 'A user name may only contain the characters a-z, 0-9, and ._=-/+';
  if (!fitsIdLimit(userId(localpart, serverName))) return 'The user ID would be longer than 255 bytes';
  return undefined;
}

/**
 * The user ID that a client means by `name`, which is a user ID of this server or a bare localpart, in any case of letters A-Z; undefined when it names no user that
 * could exist here.
 */
export function userIdFromLogin(name: string, serverName: string): string | undefined {
  const id = name.startsWith('@') ? name : userId(name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()), serverName);
  return isDomainId(id, '@') && isLocalUser(id, serverName) ? id : undefined;
}
