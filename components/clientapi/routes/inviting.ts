import { z } from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { requireInvitable } from '../rooms/invitable.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { OTHER_SERVERS_MS_MAX } from '../rooms/via-servers.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

const inviteBody = z.object({ user_id: z.string(), reason: z.string().optional() });
const thirdPartyInvite = z.object({ medium: z.string(), address: z.string() });

/** POST /_matrix/client/v3/rooms/{roomId}/invite — r0, changed in v1.1 (reason). The form by third-party identifier (`inviteBy3PID`) is refused. */
export async function inviteUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const roomId = requireRoomId(request.params['roomId']);
  if (thirdPartyInvite.safeParse(request.body).success) throw new MatrixError(403, 'M_THREEPID_DENIED', 'This server cannot invite by e-mail address or telephone number');
  const body = parseBody(inviteBody, request.body);
  const userId = requireUserId(body.user_id);
  await requireInvitable(context, [userId]);
  const profile = await memberProfile(context, userId);
  // Another server has to sign the invite of its user.
  const deadlineMs = isLocalUser(userId, context.serverName) ? undefined : OTHER_SERVERS_MS_MAX;
  await sendMembership(context, request, requester, { roomId, userId, deadlineMs, content: { membership: 'invite', reason: body.reason, ...profile } });
  return EMPTY;
}

export const invitingRoutes: readonly RouteSpec[] = [{ handler: inviteUser, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/invite`, idempotent: false }];
