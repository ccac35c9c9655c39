/** Third-party networks. No application service bridges to one here, so nothing of them is known. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { requireRoomAlias, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/thirdparty/protocols — r0 */
export async function getProtocols(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  return EMPTY;
}

/** GET /_matrix/client/v3/thirdparty/protocol/{protocol} — r0 */
export async function getProtocolMetadata(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  throw unknownProtocol();
}

/** GET /_matrix/client/v3/thirdparty/location/{protocol} — r0 */
export async function queryLocationByProtocol(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  throw unknownProtocol();
}

/** GET /_matrix/client/v3/thirdparty/user/{protocol} — r0 */
export async function queryUserByProtocol(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  throw unknownProtocol();
}

/** GET /_matrix/client/v3/thirdparty/location — r0 */
export async function queryLocationByAlias(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  requireRoomAlias(required(request, 'alias'));
  throw new MatrixError(404, 'M_NOT_FOUND', 'No room of another network has this alias');
}

/** GET /_matrix/client/v3/thirdparty/user — r0 */
export async function queryUserByID(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  requireUserId(required(request, 'userid'));
  throw new MatrixError(404, 'M_NOT_FOUND', 'No user of another network has this user ID');
}

function unknownProtocol(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'This server has no bridge of this protocol');
}

function required(request: ApiRequest, name: string): string {
  const value = request.query.get(name);
  if (value === null) throw new MatrixError(400, 'M_MISSING_PARAM', `${name} is missing`);
  return value;
}

const THIRD_PARTY = `${CLIENT_V3}/thirdparty`;

export const thirdPartyLookupRoutes: readonly RouteSpec[] = [
  { handler: getProtocols, method: 'GET', path: `${THIRD_PARTY}/protocols`, idempotent: true },
  { handler: getProtocolMetadata, method: 'GET', path: `${THIRD_PARTY}/protocol/{protocol}`, idempotent: true },
  { handler: queryLocationByProtocol, method: 'GET', path: `${THIRD_PARTY}/location/{protocol}`, idempotent: true },
  { handler: queryUserByProtocol, method: 'GET', path: `${THIRD_PARTY}/user/{protocol}`, idempotent: true },
  { handler: queryLocationByAlias, method: 'GET', path: `${THIRD_PARTY}/location`, idempotent: true },
  { handler: queryUserByID, method: 'GET', path: `${THIRD_PARTY}/user`, idempotent: true },
];
