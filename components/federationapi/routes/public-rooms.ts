/** GET and POST /_matrix/federation/v1/publicRooms: this server's room directory (spec: server-server, "Published Room Directory"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { PublicRoomsWish, SyncQuery } from '../../../schemas/ports/sync-query.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';

const PATH = '/_matrix/federation/v1/publicRooms';
const ROOMS_DEFAULT = 100;
const ROOMS_MAX = 500;
const TEXT_MAX = 4096;
const TYPES_MAX = 50;

export function publicRoomsRoutes({ syncQuery }: { syncQuery: Pick<SyncQuery, 'publicRooms'> }, auth: AuthDeps): Route[] {
  const page = async (wish: PublicRoomsWish): Promise<ApiResponse> => {
    const body = await syncQuery.publicRooms(wish).catch((error: unknown) => {
      throw error instanceof RangeError ? invalid('since') : error;
    });
    return { status: 200, body };
  };
  const common = { path: PATH, role: 'federationapi', idempotent: true, raw: true } as const;
  return [
    { ...common, operationId: 'getPublicRooms', method: 'GET', handle: authenticated(auth, ({ query }) => page(wishOf(fieldsOf(query)))) },
    { ...common, operationId: 'queryPublicRooms', method: 'POST', handle: authenticated(auth, ({ body }) => page(wishOf(body as Fields))) },
  ];
}

type Fields = Readonly<Record<string, unknown>>;

/** The query with its values as a body has them. */
function fieldsOf(query: URLSearchParams): Fields {
  return Object.fromEntries([...query].map(([name, value]) => {
    if (name === 'limit' && /^\d{1,15}$/.test(value)) return [name, Number(value)];
    if (name === 'include_all_networks' && (value === 'true' || value === 'false')) return [name, value === 'true'];
    return [name, value];
  }));
}

/** Throws 400 M_INVALID_PARAM. */
function wishOf({ limit = 0, since, filter = {}, ...lists }: Fields): PublicRoomsWish {
  if (!Number.isSafeInteger(limit) || (limit as number) < 0) throw invalid('limit');
  if (typeof filter !== 'object' || filter === null) throw invalid('filter');
  const { generic_search_term: search, room_types: types } = filter as Fields;
  return {
    // 0 stands for as many as there may be.
    limit: Math.min((limit as number) || ROOMS_DEFAULT, ROOMS_MAX), since: optionalText('since', since), search: optionalText('generic_search_term', search), roomTypes: typesOf(types), list: listOf(lists),
  };
}

function typesOf(types: unknown): (string | null)[] | undefined {
  const isGood = types === undefined || (Array.isArray(types) && types.length <= TYPES_MAX && types.every((type) => type === null || isText(type)));
  if (!isGood) throw invalid('room_types');
  return types as (string | null)[] | undefined;
}

function listOf({ include_all_networks: all = false, third_party_instance_id: instance }: Fields): PublicRoomsWish['list'] {
  const network = optionalText('third_party_instance_id', instance);
  if (typeof all !== 'boolean' || (all && network !== undefined)) throw invalid('include_all_networks');
  if (all) return 'all';
  return network === undefined ? undefined : { network };
}

function optionalText(name: string, value: unknown): string | undefined {
  if (value !== undefined && !isText(value)) throw invalid(name);
  return value;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_MAX && !value.includes('\0');
}

function invalid(name: string): MatrixError {
  return new MatrixError(400, 'M_INVALID_PARAM', `${name} is not what it must be`);
}
