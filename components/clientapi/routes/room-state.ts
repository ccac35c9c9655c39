import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { SubmitOptions } from '../../../pkg/log/commands.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { requireMaySend } from '../accounts/standing.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireEventField, requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { requireAliases } from '../rooms/canonical-alias.ts';
import { requireInvitable } from '../rooms/invitable.ts';
import { followUpgrade } from '../rooms/follow-upgrade.ts';
import { currentMember } from '../rooms/current-member.ts';
import { requireMayGo, type MemberChange } from '../rooms/notice-room.ts';
import { OTHER_SERVERS_MS_MAX } from '../rooms/via-servers.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

type Content = Readonly<Record<string, unknown>>;

const MEMBERSHIPS = new Set(['join', 'invite', 'leave', 'ban', 'knock']);

/** PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey} — r0. Without state key, with or without the last slash, it is empty. */
export async function setRoomStateWithKey(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const content = request.body as Record<string, unknown>;
  const type = requireEventField(request.params['eventType'] ?? '', 'event type');
  const requester = await limitedRequester(context, request, type === 'm.room.member' ? 'membership' : 'message');
  const roomId = requireRoomId(request.params['roomId']);
  const stateKey = requireEventField(request.params['stateKey'] ?? '', 'state key');
  await requireMaySend(context, requester, { type, stateKey, content });
  if (type === 'm.room.canonical_alias') await requireAliases(context, content, { roomId, stateKey, signal: request.signal });
  const sendEvent = { sender: requester.userId, deviceId: requester.deviceId, txnId: '', event: { type, stateKey, content: contentBytes(content) }, ...(requester.isGuest && { isGuest: true }) };
  const send = (options: SubmitOptions) => submitRoomCommand(context, request, { roomId, sendEvent }, options);
  return ok(await (type === 'm.room.member' ? setMember(context, request, { roomId, sender: requester.userId, userId: stateKey, content }, send) : send({})));
}

/** Around a member event: the same as for `/join`, `/invite` and the like. */
async function setMember<T>(context: Context, request: ApiRequest, change: MemberChange, send: (options: SubmitOptions) => Promise<T>): Promise<T> {
  const { roomId, sender, userId, content } = change;
  requireMembership(content, userId);
  if (content['membership'] === 'invite') await requireInvitable(context, [userId]);
  await requireMayGo(context, change);
  const isJoin = content['membership'] === 'join' && sender === userId && (await currentMember(context.roomQuery, roomId, userId))?.membership !== 'join';
  const result = await send({ deadlineMs: OTHER_SERVERS_MS_MAX });
  if (isJoin) await followUpgrade(context, request, { userId, roomId });
  return result;
}

/** What `/invite` and the like check, for member events that come this way. */
function requireMembership(content: Content, stateKey: string): void {
  requireUserId(stateKey);
  const membership = content['membership'];
  if (membership === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'membership is missing');
  if (typeof membership !== 'string' || !MEMBERSHIPS.has(membership)) throw new MatrixError(400, 'M_BAD_JSON', 'membership must be join, invite, leave, ban or knock');
}

export const roomStateRoutes: readonly RouteSpec[] = [
  { handler: setRoomStateWithKey, method: 'PUT', path: `${CLIENT_V3}/rooms/{roomId}/state/{eventType}/{stateKey}`, trailing: true, guests: true, idempotent: false },
];
