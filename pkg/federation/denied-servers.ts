/** Servers that the operator wants nothing to do with. Pure. */
import { parseServerName } from '../matrix/ids/server-name.ts';

/** `*` stands for any number of characters, `?` for one; case does not matter. */
const PATTERN = /^[A-Za-z0-9.:[\]*?-]{1,255}$/;

export function isServerPattern(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether the host of a server name, its port left out, matches one of `patterns`. What is no server name is denied. */
export function deniedServers(patterns: readonly string[]): (serverName: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.replace(/[.[\]]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i'));
  return (serverName) => {
    const host = parseServerName(serverName)?.host;
    return host === undefined || expressions.some((expression) => expression.test(host));
  };
}
