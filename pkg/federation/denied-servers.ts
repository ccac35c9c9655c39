/** Servers that the operator wants nothing to do with, by name. Pure. */
import { globMatches } from '../matrix/ids/server-glob.ts';
import { parseServerName } from '../matrix/ids/server-name.ts';

/** `*` stands for any number of characters, `?` for one; case does not matter. */
const PATTERN = /^[A-Za-z0-9.:[\]*?-]{1,255}$/;

export function isServerPattern(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * Whether the host of a server name, its port left out, matches one of `denied`, or none of `allowed` where there are any. What is no server name is denied. IPv6 addresses match with or
 * without their brackets.
 */
export function deniedServers(denied: readonly string[], allowed: readonly string[] = []): (serverName: string) => boolean {
  return (serverName) => {
    const host = parseServerName(serverName)?.host;
    const isAmong = (patterns: readonly string[]): boolean => host !== undefined && patterns.some((pattern) => globMatches(pattern.replace(/^\[(.*)\]$/, '$1'), host));
    return host === undefined || isAmong(denied) || (allowed.length > 0 && !isAmong(allowed));
  };
}
