import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { requireMayGo } from '../rooms/notice-room.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { OTHER_SERVERS_MS_MAX, viaServers } from '../rooms/via-servers.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

const leaveBody = z.object({ reason: z.string().optional() });

/** POST /_matrix/client/v3/rooms/{roomId}/leave — r0, changed in v1.1 (reason), v1.18 (the room may be forgotten, which is a setting) */
export async function leaveRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'membership');
  const { reason } = parseBody(leaveBody, request.body);
  const roomId = requireRoomId(request.params['roomId']);
  const { userId } = requester;
  await requireMayGo(context, { roomId, sender: userId, userId, content: { membership: 'leave' } });
  const outside = await context.roomQuery.outsideMembership(roomId, userId);
  // An invite to a room that this server need not be in: the others are told, if they can be.
  const isOutside = outside !== undefined && outside.membership !== 'leave';
  const via = isOutside ? viaServers({ named: [], inviter: outside.sender, roomId, ownName: context.serverName }) : [];
  await sendMembership(context, request, requester, { roomId, userId, via, deadlineMs: isOutside ? OTHER_SERVERS_MS_MAX : undefined, content: { membership: 'leave', reason } });
  // Whoever dies in between: the client, which has no answer yet, leaves again, and that is the same leave.
  if (context.settings.forgetOnLeave === true) await submitRoomCommand(context, request, { roomId, forgetRoom: { userId } });
  return EMPTY;
}

/** POST /_matrix/client/v3/rooms/{roomId}/forget — r0. Throws 400 M_UNKNOWN for a room that the user has not left. */
export async function forgetRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'membership');
  await submitRoomCommand(context, request, { roomId: requireRoomId(request.params['roomId']), forgetRoom: { userId } });
  return EMPTY;
}

export const leavingRoutes: readonly RouteSpec[] = [
  { handler: forgetRoom, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/forget`, body: 'optional-json-object', idempotent: true },
  { handler: leaveRoom, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/leave`, guests: true, body: 'optional-json-object', idempotent: false },
];
