/** From a room alias to the room, and to servers that are in it. */
import { isDestinationFailing } from '../../../pkg/federation/transport.ts';
import { queryDirectory, type DirectoryEntry } from '../../../pkg/federation/query-directory.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isRoomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import type { Context } from '../context.ts';

/** Asks the alias's server; this one has no aliases. Throws 400 M_INVALID_PARAM, 404 M_NOT_FOUND, and 502 M_UNKNOWN when the other server cannot be asked. */
export async function resolveAlias(context: Pick<Context, 'serverName' | 'signedTransport'>, alias: string, signal: AbortSignal): Promise<DirectoryEntry> {
  if (!isRoomAlias(alias)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is not a room alias');
  const server = domainOf(alias);
  if (context.signedTransport === undefined || server === context.serverName) throw notFound();
  const entry = await queryDirectory(context.signedTransport, alias, signal).catch((error: unknown) => {
    if (isDestinationFailing(error)) throw new MatrixError(502, 'M_UNKNOWN', `${server} could not be asked for this room alias`);
    throw notFound();
  });
  // The server that knows the alias is worth asking, even if it does not say so.
  return { roomId: entry.roomId, servers: [...entry.servers, server] };
}

function notFound(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such room alias');
}
