import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { inviteThirdParty } from '../rooms/invite-third-party.ts';
import { requireInvitable } from '../rooms/invitable.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { OTHER_SERVERS_MS_MAX } from '../rooms/via-servers.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

const reason = z.string().optional();
const inviteBody = z.object({ user_id: z.string(), reason });
const thirdPartyInvite = z.object({ medium: z.string().max(64), address: z.string().max(500), id_server: z.string(), id_access_token: z.string().optional(), reason });

/** POST /_matrix/client/v3/rooms/{roomId}/invite — r0, changed in v1.1 (reason). Also by third-party identifier (`inviteBy3PID`), with the identity servers that the settings name. */
export async function inviteUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const roomId = requireRoomId(request.params['roomId']);
  const body = Object.hasOwn(request.body as object, 'medium') ? parseBody(thirdPartyInvite, request.body) : parseBody(inviteBody, request.body);
  const userId = 'medium' in body ? await inviteThirdParty(context, request, requester, { ...body, roomId }) : requireUserId(body.user_id);
  // It waits for whoever turns out to be meant.
  if (userId === undefined) return EMPTY;
  await requireInvitable(context, [userId]);
  const profile = await memberProfile(context, userId);
  // Another server has to sign the invite of its user.
  const deadlineMs = isLocalUser(userId, context.serverName) ? undefined : OTHER_SERVERS_MS_MAX;
  await sendMembership(context, request, requester, { roomId, userId, deadlineMs, content: { membership: 'invite', reason: body.reason, ...profile } });
  return EMPTY;
}

export const invitingRoutes: readonly RouteSpec[] = [{ handler: inviteUser, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/invite`, idempotent: false }];
