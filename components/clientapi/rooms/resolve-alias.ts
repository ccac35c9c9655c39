/** From a room alias to the room, and to servers that are in it. */
import { isDestinationFailing } from '../../../pkg/federation/transport.ts';
import { queryDirectory, type DirectoryEntry } from '../../../pkg/federation/query-directory.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isRoomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import type { Context } from '../context.ts';

/** Servers that are told with an alias. */
const SERVERS_MAX = 20;

export interface AliasQuestion {
  readonly signal: AbortSignal;
  /**
   * What is answered when the alias's server cannot be asked. 404 to who looks something up: the spec lists nothing for that case, and to them the alias leads nowhere. 502 to who wants to enter the
   * room, as where the room's own servers cannot be asked: it may be another time, and the room is not said to be missing.
   */
  readonly whenDown: 404 | 502;
}

/** From the aliases of this server, or from the alias's server. Throws 400 M_INVALID_PARAM, 404 M_NOT_FOUND, and `whenDown`. */
export async function resolveAlias(context: Pick<Context, 'serverName' | 'signedTransport' | 'roomQuery'>, alias: string, { signal, whenDown }: AliasQuestion): Promise<DirectoryEntry> {
  if (!isRoomAlias(alias)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is not a room alias');
  const server = domainOf(alias);
  if (server === context.serverName) return ownAlias(context, alias);
  if (context.signedTransport === undefined) throw notFound();
  const entry = await queryDirectory(context.signedTransport, alias, signal).catch((error: unknown) => {
    if (isDestinationFailing(error)) throw new MatrixError(whenDown, whenDown === 404 ? 'M_NOT_FOUND' : 'M_UNKNOWN', `${server} could not be asked for this room alias`);
    throw notFound();
  });
  // The server that knows the alias is worth asking, even if it does not say so.
  return { roomId: entry.roomId, servers: [...entry.servers, server] };
}

async function ownAlias({ roomQuery, serverName }: Pick<Context, 'serverName' | 'roomQuery'>, alias: string): Promise<DirectoryEntry> {
  const found = await roomQuery.alias(alias);
  if (found === undefined) throw notFound();
  const servers = await roomQuery.someServers(found.roomId, SERVERS_MAX);
  return { roomId: found.roomId, servers: [...new Set([serverName, ...servers])] };
}

function notFound(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such room alias');
}
