/** Which other servers can let a user into a room, or out of it, when this one is not in the room. */
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';

/** Beyond that, nobody waits for an answer any more. */
const SERVERS_MAX = 20;

/** How long a change of membership that needs another server may take, in ms: longer than the room's owner waits for the other servers. */
export const OTHER_SERVERS_MS_MAX = 125_000;

/** Servers that a request names, first those of `via` (v1.12), then those of `server_name`, which it replaces. */
export function namedServers(query: URLSearchParams): string[] {
  return [...query.getAll('via'), ...query.getAll('server_name')];
}

/**
 * In the order in which they are to be asked: those named, that of who invited the user, that of the room ID where it has one. What is no server name and `ownName` are left
 * out, each is there once.
 */
export function viaServers(known: { readonly named: readonly string[]; readonly inviter: string | undefined; readonly roomId: string; readonly ownName: string }): string[] {
  const candidates = [...known.named, domainOf(known.inviter ?? ''), domainOf(known.roomId)];
  return [...new Set(candidates.filter((name) => name !== known.ownName && isServerName(name)))].slice(0, SERVERS_MAX);
}
