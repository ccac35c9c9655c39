/** Room aliases of other servers (spec: server-server, GET /query/directory). */
import { domainOf } from '../matrix/ids/domain-of.ts';
import { isRoomId } from '../matrix/ids/room-id.ts';
import { isServerName } from '../matrix/ids/server-name.ts';
import { FederationError, type FederationTransport } from './transport.ts';

export interface DirectoryEntry {
  readonly roomId: string;
  /** That may be in the room. */
  readonly servers: readonly string[];
}

const DEADLINE_MS = 10_000;
const SERVERS_MAX = 20;

/** Asks the server of `alias` for the room. Rejects with `FederationError`, kind `http` with status 404 where there is no such alias. `transport` signs. */
export async function queryDirectory(transport: FederationTransport, alias: string, signal?: AbortSignal): Promise<DirectoryEntry> {
  const destination = domainOf(alias);
  const { body } = await transport.request({
    destination, method: 'GET', path: '/_matrix/federation/v1/query/directory', query: { room_alias: alias }, deadlineMs: DEADLINE_MS, ...(signal === undefined ? {} : { signal }),
  });
  const { room_id: roomId, servers } = body;
  if (!isRoomId(roomId)) throw new FederationError('garbage', `${destination} named no room for an alias`);
  const names = Array.isArray(servers) ? servers.filter((name): name is string => typeof name === 'string' && isServerName(name)) : [];
  return { roomId, servers: names.slice(0, SERVERS_MAX) };
}
