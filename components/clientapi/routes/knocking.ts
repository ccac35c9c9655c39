import { z } from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { resolveAlias } from '../rooms/resolve-alias.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

const knockBody = z.object({ reason: z.string().optional() });

/**
 * POST /_matrix/client/v3/knock/{roomIdOrAlias} — v1.1, changed in v1.12 (via). Throws 404 M_NOT_FOUND for rooms that this server is not in: no other server is asked to knock (`via` is
 * checked by nobody).
 */
export async function knockRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'membership');
  const target = request.params['roomIdOrAlias'] ?? '';
  const { reason } = parseBody(knockBody, request.body);
  const { roomId } = target.startsWith('#') ? await resolveAlias(context, target, request.signal) : { roomId: requireRoomId(target) };
  if ((await context.roomQuery.roomVersion(roomId)) === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server is not in the room, and cannot knock by way of others');
  const profile = await memberProfile(context, requester.userId);
  await sendMembership(context, request, requester, { roomId, userId: requester.userId, content: { membership: 'knock', reason, ...profile } });
  return ok({ room_id: roomId });
}

export const knockingRoutes: readonly RouteSpec[] = [
  { handler: knockRoom, method: 'POST', path: `${CLIENT_V3}/knock/{roomIdOrAlias}`, body: 'optional-json-object', idempotent: false },
];
