import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

const banBody = z.object({ user_id: z.string(), reason: z.string().optional() });

/** POST /_matrix/client/v3/rooms/{roomId}/ban — r0 */
export async function ban(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const roomId = requireRoomId(request.params['roomId']);
  const body = parseBody(banBody, request.body);
  await sendMembership(context, request, requester, { roomId, userId: requireUserId(body.user_id), content: { membership: 'ban', reason: body.reason } });
  return EMPTY;
}

/** POST /_matrix/client/v3/rooms/{roomId}/unban — r0, changed in v1.1 (reason) */
export async function unban(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const roomId = requireRoomId(request.params['roomId']);
  const body = parseBody(banBody, request.body);
  const userId = requireUserId(body.user_id);
  // The same event would put somebody out who is in the room.
  await sendMembership(context, request, requester, { roomId, userId, onlyFrom: ['ban'], content: { membership: 'leave', reason: body.reason } });
  return EMPTY;
}

export const banningRoutes: readonly RouteSpec[] = [
  { handler: ban, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/ban`, idempotent: false },
  { handler: unban, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/unban`, idempotent: false },
];
