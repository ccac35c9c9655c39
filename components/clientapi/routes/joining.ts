import { z } from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isRoomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { currentMember } from '../rooms/current-member.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** Answers to invites by e-mail address, which this server cannot make: checked, and of no effect. */
const thirdPartySigned = z.object({ sender: z.string(), mxid: z.string(), token: z.string(), signatures: z.record(z.string(), z.record(z.string(), z.string())) });
const joinBody = z.object({ reason: z.string().optional(), third_party_signed: thirdPartySigned.optional() });

/** POST /_matrix/client/v3/rooms/{roomId}/join — r0, changed in v1.1 (reason) */
export async function joinRoomById(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return join(context, request, requireRoomId(request.params['roomId']));
}

/** POST /_matrix/client/v3/join/{roomIdOrAlias} — r0, changed in v1.1 (reason) */
export async function joinRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const target = request.params['roomIdOrAlias'] ?? '';
  return join(context, request, target.startsWith('#') ? target : requireRoomId(target));
}

async function join(context: Context, request: ApiRequest, target: string): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'membership');
  const { reason } = parseBody(joinBody, request.body);
  const roomId = resolve(target);
  const { userId } = requester;
  const [before, profile] = await Promise.all([currentMember(context.roomQuery, roomId, userId), memberProfile(context, userId)]);
  // Joining again says nothing new: no event is made of it.
  if (before?.membership !== 'join') await sendMembership(context, request, requester, { roomId, userId, content: { membership: 'join', reason, ...profile } });
  return ok({ room_id: roomId });
}

function resolve(target: string): string {
  if (!target.startsWith('#')) return target;
  if (!isRoomAlias(target)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is not a room alias');
  throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such room alias');
}

export const joiningRoutes: readonly RouteSpec[] = [
  { handler: joinRoomById, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/join`, body: 'optional-json-object', idempotent: false },
  { handler: joinRoom, method: 'POST', path: `${CLIENT_V3}/join/{roomIdOrAlias}`, body: 'optional-json-object', idempotent: false },
];
