import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId, requireShort } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, requireSelf, type RouteSpec } from './client-route.ts';

const tagBody = z.looseObject({ order: z.number().min(0).max(1).optional() });

/** GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags — r0 */
export async function getRoomTags(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requireRequester(request, context.userQuery);
  requireSelf(requester, request.params['userId']);
  const json = await context.userQuery.accountData(requester.userId, requireRoomId(request.params['roomId']), 'm.tag');
  const { tags } = (json === undefined ? {} : JSON.parse(json)) as { tags?: unknown };
  return ok({ tags: typeof tags === 'object' && tags !== null && !Array.isArray(tags) ? tags : {} });
}

/** PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag} — r0 */
export async function setRoomTag(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return change(context, request, Buffer.from(JSON.stringify(parseBody(tagBody, request.body))));
}

/** DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag} — r0 */
export async function deleteRoomTag(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return change(context, request, new Uint8Array(0));
}

async function change(context: Context, request: ApiRequest, content: Uint8Array): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  requireSelf(requester, request.params['userId']);
  const roomId = requireRoomId(request.params['roomId']);
  const tag = requireShort(request.params['tag'], 'a tag');
  if (tag === '') throw new MatrixError(400, 'M_INVALID_PARAM', 'The tag is empty');
  await submitUserCommand(context, request, { userId: requester.userId, setTag: { roomId, tag, content } });
  return EMPTY;
}

const TAGS = `${CLIENT_V3}/user/{userId}/rooms/{roomId}/tags`;

export const tagsRoutes: readonly RouteSpec[] = [
  { handler: getRoomTags, method: 'GET', path: TAGS, idempotent: true },
  { handler: setRoomTag, method: 'PUT', path: `${TAGS}/{tag}`, idempotent: true },
  { handler: deleteRoomTag, method: 'DELETE', path: `${TAGS}/{tag}`, idempotent: true },
];
