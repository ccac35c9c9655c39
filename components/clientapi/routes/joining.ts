import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { acceptThirdParty } from '../rooms/accept-third-party.ts';
import { currentMember } from '../rooms/current-member.ts';
import { followUpgrade } from '../rooms/follow-upgrade.ts';
import { resolveAlias } from '../rooms/resolve-alias.ts';
import { sendMembership } from '../rooms/send-membership.ts';
import { namedServers, OTHER_SERVERS_MS_MAX, viaServers } from '../rooms/via-servers.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const thirdPartySigned = z.looseObject({ sender: z.string(), mxid: z.string(), token: z.string(), signatures: z.record(z.string(), z.record(z.string(), z.string())) });
const joinBody = z.object({ reason: z.string().optional(), third_party_signed: thirdPartySigned.optional() });

/** Whose answer was lost asks again by then. */
const RETRIED_MS_MAX = 10 * 60_000;

/** POST /_matrix/client/v3/rooms/{roomId}/join — r0, changed in v1.1 (reason) */
export async function joinRoomById(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return join(context, request, requireRoomId(request.params['roomId']));
}

/** POST /_matrix/client/v3/join/{roomIdOrAlias} — r0, changed in v1.1 (reason), v1.12 (via) */
export async function joinRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const target = request.params['roomIdOrAlias'] ?? '';
  return join(context, request, target.startsWith('#') ? target : requireRoomId(target));
}

async function join(context: Context, request: ApiRequest, target: string): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'membership');
  const { reason, third_party_signed: signed } = parseBody(joinBody, request.body);
  const { roomId, servers } = target.startsWith('#') ? await resolveAlias(context, target, { signal: request.signal, whenDown: 502 }) : { roomId: target, servers: [] };
  const { userId } = requester;
  const [before, outside, profile] = await Promise.all([
    currentMember(context.roomQuery, roomId, userId), context.roomQuery.outsideMembership(roomId, userId), memberProfile(context, userId),
  ]);
  // Joining again says nothing new: no event is made of it. Where this server is in the room no more, nobody here is joined to it.
  if (before?.membership === 'join') {
    // The first try may have ended before its answer.
    if (context.runtime.clock.now() - before.ts < RETRIED_MS_MAX) await followUpgrade(context, request, { userId, roomId });
    return ok({ room_id: roomId });
  }
  const invite = outside?.membership === 'invite' ? outside : before?.membership === 'invite' ? before : undefined;
  if (signed !== undefined && invite === undefined) await acceptThirdParty(context, request, { roomId, userId, signed });
  const via = viaServers({ named: [...namedServers(request.query), ...servers], inviter: invite?.sender, roomId, ownName: context.serverName });
  await sendMembership(context, request, requester, { roomId, userId, via, deadlineMs: OTHER_SERVERS_MS_MAX, content: { membership: 'join', reason, ...profile } });
  await followUpgrade(context, request, { userId, roomId });
  return ok({ room_id: roomId });
}

export const joiningRoutes: readonly RouteSpec[] = [
  { handler: joinRoomById, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/join`, guests: true, body: 'optional-json-object', idempotent: false },
  { handler: joinRoom, method: 'POST', path: `${CLIENT_V3}/join/{roomIdOrAlias}`, guests: true, body: 'optional-json-object', idempotent: false },
];
