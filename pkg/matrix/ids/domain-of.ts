import { fitsIdLimit } from './byte-length.ts';
import { isServerName } from './server-name.ts';

/**
 * The server name in an ID of the form `&localpart:domain`: all after the first colon, as a localpart has none. Empty for IDs without domain
 * (rooms of version 12, events of versions 3 on). Does not validate.
 */
export function domainOf(id: string): string {
  const colon = id.indexOf(':');
  return colon === -1 ? '' : id.slice(colon + 1);
}

/** What stands between the sigil and the first colon (or the end). Does not validate. */
export function localpartOf(id: string): string {
  const colon = id.indexOf(':');
  return colon === -1 ? id.slice(1) : id.slice(1, colon);
}

/** Whether `id` is `<sigil>localpart:domain` with a valid server name, at most 255 bytes and a localpart without NUL or half surrogate pairs. */
export function isDomainId(id: string, sigil: string): boolean {
  if (!id.startsWith(sigil) || !fitsIdLimit(id)) return false;
  const colon = id.indexOf(':');
  if (colon === -1 || !isServerName(id.slice(colon + 1))) return false;
  const localpart = id.slice(1, colon);
  return !localpart.includes('\0') && localpart.isWellFormed();
}
