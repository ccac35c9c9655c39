import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { resolveAlias } from '../rooms/resolve-alias.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { namedServers, OTHER_SERVERS_MS_MAX, viaServers } from '../rooms/via-servers.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const knockBody = z.object({ reason: z.string().optional() });

/** POST /_matrix/client/v3/knock/{roomIdOrAlias} — v1.1, changed in v1.12 (via) */
export async function knockRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const target = request.params['roomIdOrAlias'] ?? '';
  const { reason } = parseBody(knockBody, request.body);
  const { roomId, servers } = target.startsWith('#') ? await resolveAlias(context, target, { signal: request.signal, whenDown: 502 }) : { roomId: requireRoomId(target), servers: [] };
  const { userId } = requester;
  const via = viaServers({ named: [...namedServers(request.query), ...servers], inviter: undefined, roomId, ownName: context.serverName });
  const profile = await memberProfile(context, userId);
  await sendMembership(context, request, requester, { roomId, userId, via, deadlineMs: OTHER_SERVERS_MS_MAX, content: { membership: 'knock', reason, ...profile } });
  return ok({ room_id: roomId });
}

export const knockingRoutes: readonly RouteSpec[] = [
  { handler: knockRoom, method: 'POST', path: `${CLIENT_V3}/knock/{roomIdOrAlias}`, body: 'optional-json-object', idempotent: false },
];
