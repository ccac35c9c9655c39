import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { DraftEvent } from '../../../schemas/log/room-input.ts';
import { requireMaySend } from '../accounts/standing.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireEventField, requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { inputIdOf } from '../outcome/input-id.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId} — r0, changed in v1.18 (redactions in all room versions) */
export async function sendMessage(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'message');
  const roomId = requireRoomId(request.params['roomId']);
  const type = requireEventField(request.params['eventType'] ?? '', 'event type');
  await requireMaySend(context, requester, { type, content: request.body as Record<string, unknown> });
  const result = await submitRoomCommand(context, request, {
    roomId,
    inputId: inputIdOf(requester, request),
    sendEvent: { sender: requester.userId, deviceId: requester.deviceId, txnId: request.params['txnId']!, event: draftOf(type, request.body as Record<string, unknown>), ...(requester.isAdmin && type === 'm.room.redaction' && { byAdmin: true }) },
  });
  return ok(result);
}

/** The redacted event's ID goes apart: where it stands in the event depends on the room version. */
function draftOf(type: string, body: Record<string, unknown>): DraftEvent {
  if (type !== 'm.room.redaction' || typeof body['redacts'] !== 'string') return { type, content: contentBytes(body) };
  const { redacts, ...content } = body;
  return { type, content: contentBytes(content), redacts: redacts as string };
}

export const roomSendRoutes: readonly RouteSpec[] = [
  { handler: sendMessage, method: 'PUT', path: `${CLIENT_V3}/rooms/{roomId}/send/{eventType}/{txnId}`, guests: true, idempotent: true },
];
