import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Report } from '../../../schemas/log/user-input.ts';
import { parseBody, text } from '../checks/body.ts';
import { requireEventId, requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { currentMember } from '../rooms/current-member.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

const withReason = z.object({ reason: text });
const withOrWithout = z.object({ reason: text.default('') });

/** A longer reason is cut: what matters is that somebody looks. */
const REASON_LENGTH_MAX = 2000;

/** POST /_matrix/client/v3/rooms/{roomId}/report — v1.13, changed in v1.18. Whether there is such a room is not told. */
export async function reportRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'report');
  const { reason } = parseBody(withReason, request.body);
  return note(context, request, userId, { roomId: requireRoomId(request.params['roomId']), reason });
}

/** POST /_matrix/client/v3/rooms/{roomId}/report/{eventId} — r0, changed in v1.8 (only members), v1.18. The answer to who is not in the room is that to who asks for what is not there. */
export async function reportEvent(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'report');
  const { reason } = parseBody(withOrWithout, request.body);
  const [roomId, eventId] = [requireRoomId(request.params['roomId']), requireEventId(request.params['eventId'])];
  const [member, [event]] = await Promise.all([currentMember(context.roomQuery, roomId, userId), context.roomQuery.eventsById([eventId])]);
  if (member?.membership !== 'join' || event?.roomId !== roomId) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such event, or you are not in its room');
  return note(context, request, userId, { roomId, eventId, reason });
}

/** POST /_matrix/client/v3/users/{userId}/report — v1.14. Whether there is such a user is not told. */
export async function reportUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'report');
  const { reason } = parseBody(withReason, request.body);
  return note(context, request, userId, { reportedUser: requireUserId(request.params['userId']), reason });
}

async function note(context: Context, request: ApiRequest, userId: string, about: Pick<Report, 'reason'> & Partial<Report>): Promise<ApiResponse> {
  const report = { roomId: '', eventId: '', reportedUser: '', ...about, reason: about.reason.slice(0, REASON_LENGTH_MAX).toWellFormed() };
  await submitUserCommand(context, request, { userId, report });
  const { reason: _reason, ...what } = report;
  request.logger.warn({ reporter: userId, ...what }, 'a user has reported something');
  return EMPTY;
}

export const reportContentRoutes: readonly RouteSpec[] = [
  { handler: reportRoom, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/report`, idempotent: false },
  { handler: reportEvent, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/report/{eventId}`, idempotent: false },
  { handler: reportUser, method: 'POST', path: `${CLIENT_V3}/users/{userId}/report`, idempotent: false },
];
