import * as z from 'zod';
import { askPublicRooms } from '../../../pkg/federation/ask-public-rooms.ts';
import { FederationError } from '../../../pkg/federation/transport.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { accessTokenOf } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { PublicRoomsWish } from '../../../schemas/ports/sync-query.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody, textUpTo } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import { booleanParam, wholeParam } from '../checks/query.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { maySetState } from '../rooms/room-power.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, type RouteSpec } from './client-route.ts';

const ROOMS_DEFAULT = 100;
const ROOMS_MAX = 500;
const REMOTE_DEADLINE_MS = 15_000;

const visibilityBody = z.object({ visibility: z.enum(['public', 'private']).default('public') });

const queryBody = z.object({
  limit: z.number().int().min(0).optional(),
  since: textUpTo(4096).optional(),
  filter: z.object({
    generic_search_term: textUpTo(500).optional(),
    room_types: z.array(textUpTo(255).nullable()).max(50).optional(),
  }).optional(),
  include_all_networks: z.boolean().default(false),
  third_party_instance_id: textUpTo(255).optional(),
});

type Query = z.infer<typeof queryBody>;

/** GET /_matrix/client/v3/directory/list/room/{roomId} — r0. For everybody. */
export async function getRoomVisibilityOnDirectory(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const roomId = await requireRoom(context, request);
  return ok({ visibility: (await context.roomQuery.isPublished(roomId)) ? 'public' : 'private' });
}

/** PUT /_matrix/client/v3/directory/list/room/{roomId} — r0. By who may set the room's canonical alias, and administrators. */
export async function setRoomVisibilityOnDirectory(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'settings');
  const { visibility } = parseBody(visibilityBody, request.body);
  const roomId = await requireRoom(context, request);
  const may = requester.isAdmin || (await maySetState(context.roomQuery, roomId, { userId: requester.userId, type: 'm.room.canonical_alias' }));
  if (!may) throw new MatrixError(403, 'M_FORBIDDEN', 'Only who may set the aliases of the room may publish it or take it out of the directory');
  await submitRoomCommand(context, request, { roomId, setRoomVisibility: { isPublic: visibility === 'public', network: '' } });
  return EMPTY;
}

/** GET /_matrix/client/v3/publicRooms — r0, changed in v1.19. For everybody; who wants the directory of another server needs an account here. */
export async function getPublicRooms(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { query } = request;
  const server = otherServer(context, query);
  if (server !== undefined || accessTokenOf(request) !== undefined) await limitedRequester(context, request, server === undefined ? 'reading' : 'lookup');
  else context.limits.take('reading', request.remoteAddress);
  const wish = {
    limit: wholeParam(query, 'limit', 0), since: query.get('since') ?? undefined,
    include_all_networks: booleanParam(query, 'include_all_networks'), third_party_instance_id: query.get('third_party_instance_id') ?? undefined,
  };
  return page(context, request, server, parseBody(queryBody, wish));
}

/** POST /_matrix/client/v3/publicRooms — r0, changed in v1.4 (room types), v1.19 */
export async function queryPublicRooms(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const server = otherServer(context, request.query);
  await limitedRequester(context, request, server === undefined ? 'reading' : 'lookup');
  return page(context, request, server, parseBody(queryBody, request.body));
}

/** Throws 404 M_NOT_FOUND for a room that is not known here. */
async function requireRoom({ roomQuery }: Context, request: ApiRequest): Promise<string> {
  const roomId = requireRoomId(request.params['roomId']);
  if ((await roomQuery.roomVersion(roomId)) === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server does not know the room');
  return roomId;
}

/** undefined: this one is meant. */
function otherServer({ serverName }: Context, query: URLSearchParams): string | undefined {
  const server = query.get('server');
  if (server === null || server === '' || server === serverName) return undefined;
  if (!isServerName(server)) throw new MatrixError(400, 'M_INVALID_PARAM', 'server is no server name');
  return server;
}

async function page(context: Context, request: ApiRequest, server: string | undefined, query: Query): Promise<ApiResponse> {
  if (query.include_all_networks && query.third_party_instance_id !== undefined) {
    throw new MatrixError(400, 'M_INVALID_PARAM', 'include_all_networks and third_party_instance_id exclude each other');
  }
  // 0 stands for as many as there may be.
  const limit = Math.min(query.limit || ROOMS_DEFAULT, ROOMS_MAX);
  if (server !== undefined) return remotePage(context, request, server, { ...query, limit });
  return ok({ ...(await ownPage(context, wishOf(query, limit))) });
}

function wishOf({ since, filter, include_all_networks: all, third_party_instance_id: network }: Query, limit: number): PublicRoomsWish {
  const list = all ? 'all' as const : network === undefined ? undefined : { network };
  return { limit, since, list, search: filter?.generic_search_term, roomTypes: filter?.room_types };
}

async function ownPage({ syncQuery }: Context, wish: PublicRoomsWish): Promise<Awaited<ReturnType<Context['syncQuery']['publicRooms']>>> {
  return syncQuery.publicRooms(wish).catch((error: unknown) => {
    if (error instanceof RangeError) throw new MatrixError(400, 'M_INVALID_PARAM', 'since is no token of this directory');
    throw error;
  });
}

async function remotePage({ signedTransport }: Context, request: ApiRequest, destination: string, query: Query & { limit: number }): Promise<ApiResponse> {
  // Who names a server that is not there has named nothing, and no server between has failed.
  const failed = new MatrixError(404, 'M_NOT_FOUND', `${destination} could not be asked for its room directory`);
  if (signedTransport === undefined) throw failed;
  const { limit, since, filter, include_all_networks: includeAllNetworks, third_party_instance_id: instance } = query;
  const answer = await askPublicRooms(signedTransport, {
    destination, deadlineMs: REMOTE_DEADLINE_MS, limit, since, includeAllNetworks, thirdPartyInstanceId: instance, signal: request.signal,
    filter: filter ? { ...(filter.generic_search_term && { generic_search_term: filter.generic_search_term }), ...(filter.room_types && { room_types: filter.room_types }) } : undefined,
  }).catch((error: unknown) => {
    if (!(error instanceof FederationError)) throw error;
    if (error.status === 403) throw new MatrixError(403, 'M_FORBIDDEN', `${destination} does not show its room directory to this server`);
    throw failed;
  });
  return ok({ ...answer });
}

const LIST = `${CLIENT_V3}/directory/list/room/{roomId}`;
const PUBLIC_ROOMS = `${CLIENT_V3}/publicRooms`;

export const listPublicRoomsRoutes: readonly RouteSpec[] = [
  { handler: getRoomVisibilityOnDirectory, method: 'GET', path: LIST, idempotent: true },
  { handler: setRoomVisibilityOnDirectory, method: 'PUT', path: LIST, idempotent: true },
  { handler: getPublicRooms, method: 'GET', path: PUBLIC_ROOMS, guests: true, idempotent: true },
  { handler: queryPublicRooms, method: 'POST', path: PUBLIC_ROOMS, idempotent: true },
];
