/** Other servers, for administrators: who fails and since when, and "try now". Not of the spec; the exchange is described in Synapse's documentation, "Federation API" of the Admin API. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';
import type { Sender } from '../sender/sender-api.ts';
import { listDestinations, listRoomsOf, ORDERS, readDestination, type DestinationOrder, type KnownDestination, type Page } from '../storage/destination-list.ts';

export interface AdminDestinationsDeps {
  readonly database: Pick<Database, 'query'>;
  readonly userQuery: UserQuery;
  readonly sender: Pick<Sender, 'reset'>;
}

const PATH = '/_synapse/admin/v1/federation/destinations';
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;
/** No pager comes that far. */
const FROM_MAX = 1_000_000_000;

type Handler = (deps: AdminDestinationsDeps, request: ApiRequest) => Promise<ApiResponse>;

/** GET /_synapse/admin/v1/federation/destinations */
async function listFederationDestinations({ database }: AdminDestinationsDeps, { query }: ApiRequest): Promise<ApiResponse> {
  const page = pageOf(query);
  const orderBy = query.get('order_by') ?? 'destination';
  if (!(ORDERS as readonly string[]).includes(orderBy)) throw new MatrixError(400, 'M_INVALID_PARAM', `order_by is one of ${ORDERS.join(', ')}`);
  const { destinations, total } = await listDestinations(database, { ...page, orderBy: orderBy as DestinationOrder, containing: textOf(query.get('destination') ?? '') });
  return { status: 200, body: { destinations: destinations.map(wireDestination), total, ...nextToken(page, destinations.length, total) } };
}

/** GET /_synapse/admin/v1/federation/destinations/{destination} */
async function getFederationDestination({ database }: AdminDestinationsDeps, { params }: ApiRequest): Promise<ApiResponse> {
  return { status: 200, body: wireDestination(await requireDestination(database, params)) };
}

/** GET /_synapse/admin/v1/federation/destinations/{destination}/rooms */
async function listFederationDestinationRooms({ database }: AdminDestinationsDeps, { params, query }: ApiRequest): Promise<ApiResponse> {
  const page = pageOf(query);
  const { name } = await requireDestination(database, params);
  const { roomIds, total } = await listRoomsOf(database, name, page);
  return { status: 200, body: { rooms: roomIds.map((roomId) => ({ room_id: roomId, stream_ordering: 0 })), total, ...nextToken(page, roomIds.length, total) } };
}

/** POST /_synapse/admin/v1/federation/destinations/{destination}/reset_connection */
async function resetFederationConnection({ database, sender }: AdminDestinationsDeps, { params }: ApiRequest): Promise<ApiResponse> {
  const { name } = await requireDestination(database, params);
  if (!(await sender.reset(name))) throw new MatrixError(400, 'M_UNKNOWN', 'The server has not failed: there is nothing to reset');
  return { status: 200, json: '{}' };
}

async function requireDestination(database: Pick<Database, 'query'>, params: ApiRequest['params']): Promise<KnownDestination> {
  const destination = await readDestination(database, textOf(params['destination'] ?? ''));
  if (destination === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server has never had anything to do with that one');
  return destination;
}

/** What can stand in a table; anything else is the name of no server. */
function textOf(text: string): string {
  return text.includes('\0') || !text.isWellFormed() ? '?' : text;
}

function wireDestination({ name, failures, failingSinceMs, lastTryMs, nextTryMs }: KnownDestination): Record<string, unknown> {
  const fails = failures > 0;
  // There is no one order of everything that is sent, and so no place in it.
  return { destination: name, retry_last_ts: fails ? lastTryMs : 0, retry_interval: fails ? nextTryMs - lastTryMs : 0, failure_ts: fails ? failingSinceMs : null, last_successful_stream_ordering: null };
}

function pageOf(query: URLSearchParams): Page {
  const dir = query.get('dir') ?? 'f';
  if (dir !== 'f' && dir !== 'b') throw new MatrixError(400, 'M_INVALID_PARAM', 'dir is f or b');
  return { from: wholeNumber(query, 'from', { byDefault: 0, max: FROM_MAX }), limit: Math.min(LIMIT_MAX, wholeNumber(query, 'limit', { byDefault: LIMIT_DEFAULT, max: FROM_MAX })), backwards: dir === 'b' };
}

function wholeNumber(query: URLSearchParams, name: string, { byDefault, max }: { byDefault: number; max: number }): number {
  const text = query.get(name);
  if (text === null) return byDefault;
  if (!/^\d{1,10}$/.test(text) || Number(text) > max) throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must be a whole number, not below 0`);
  return Number(text);
}

function nextToken({ from, limit }: Page, given: number, total: number): { next_token?: string } {
  return given > 0 && given === limit && from + given < total ? { next_token: String(from + given) } : {};
}

export function adminDestinationRoutes(deps: AdminDestinationsDeps): Route[] {
  const route = (handler: Handler, method: 'GET' | 'POST', path: string): Route => ({
    operationId: handler.name, method, path, role: 'federationapi', body: 'none', idempotent: true,
    async handle(request) {
      const requester = await requireRequester(request, deps.userQuery);
      if (!requester.isAdmin) throw new MatrixError(403, 'M_FORBIDDEN', 'This is for administrators of this server');
      return handler(deps, request);
    },
  });
  return [
    route(listFederationDestinations, 'GET', PATH), route(getFederationDestination, 'GET', `${PATH}/{destination}`),
    route(listFederationDestinationRooms, 'GET', `${PATH}/{destination}/rooms`), route(resetFederationConnection, 'POST', `${PATH}/{destination}/reset_connection`),
  ];
}
