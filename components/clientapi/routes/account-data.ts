import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { mergedRules } from '../../../pkg/matrix/push-rules/change-rules.ts';
import { requireRoomId, requireShort } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, requireSelf, type RouteSpec } from './client-route.ts';

const GLOBAL = '';
const PUSH_RULES = 'm.push_rules';
/** Set by endpoints of their own. */
const SET_BY_SERVER = new Set(['m.fully_read', PUSH_RULES]);

/** PUT /_matrix/client/v3/user/{userId}/account_data/{type} — r0 */
export async function setAccountData(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return set(context, request, GLOBAL);
}

/** GET /_matrix/client/v3/user/{userId}/account_data/{type} — r0 */
export async function getAccountData(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return get(context, request, GLOBAL);
}

/** PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type} — r0 */
export async function setAccountDataPerRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return set(context, request, requireRoomId(request.params['roomId']));
}

/** GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type} — r0 */
export async function getAccountDataPerRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return get(context, request, requireRoomId(request.params['roomId']));
}

async function set(context: Context, request: ApiRequest, roomId: string): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  requireSelf(requester, request.params['userId']);
  const type = requireShort(request.params['type'], 'a type of account data');
  if (SET_BY_SERVER.has(type)) throw new MatrixError(405, 'M_BAD_JSON', `${type} cannot be set here`);
  const content = Buffer.from(JSON.stringify(request.body));
  await submitUserCommand(context, request, { userId: requester.userId, setAccountData: { roomId, type, content } });
  return EMPTY;
}

async function get(context: Context, request: ApiRequest, roomId: string): Promise<ApiResponse> {
  const requester = await requireRequester(request, context.userQuery);
  requireSelf(requester, request.params['userId']);
  const type = requireShort(request.params['type'], 'a type of account data');
  const json = await context.userQuery.accountData(requester.userId, roomId, type);
  if (type === PUSH_RULES && roomId === GLOBAL) return ok({ global: mergedRules(requester.userId, json === undefined ? undefined : JSON.parse(json)) });
  if (json !== undefined) return { status: 200, json };
  throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such account data');
}

const GLOBAL_PATH = `${CLIENT_V3}/user/{userId}/account_data/{type}`;
const ROOM_PATH = `${CLIENT_V3}/user/{userId}/rooms/{roomId}/account_data/{type}`;

export const accountDataRoutes: readonly RouteSpec[] = [
  { handler: setAccountData, method: 'PUT', path: GLOBAL_PATH, idempotent: true },
  { handler: getAccountData, method: 'GET', path: GLOBAL_PATH, idempotent: true },
  { handler: setAccountDataPerRoom, method: 'PUT', path: ROOM_PATH, idempotent: true },
  { handler: getAccountDataPerRoom, method: 'GET', path: ROOM_PATH, idempotent: true },
];
