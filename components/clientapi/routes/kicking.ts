import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

const kickBody = z.object({ user_id: z.string(), reason: z.string().optional() });
/** The same event would lift the ban of somebody who is banned. */
const IN_THE_ROOM = ['join', 'invite', 'knock'];

/** POST /_matrix/client/v3/rooms/{roomId}/kick — r0 */
export async function kick(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const roomId = requireRoomId(request.params['roomId']);
  const body = parseBody(kickBody, request.body);
  const userId = requireUserId(body.user_id);
  await sendMembership(context, request, requester, { roomId, userId, onlyFrom: IN_THE_ROOM, content: { membership: 'leave', reason: body.reason } });
  return EMPTY;
}

export const kickingRoutes: readonly RouteSpec[] = [{ handler: kick, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/kick`, idempotent: false }];
