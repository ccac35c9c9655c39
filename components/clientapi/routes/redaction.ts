import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { requireMayRedact } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireEventId, requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { inputIdOf } from '../outcome/input-id.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

const redactBody = z.object({ reason: z.string().optional() });

/** PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId} — r0 */
export async function redactEvent(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'message');
  const roomId = requireRoomId(request.params['roomId']);
  const redacts = requireEventId(request.params['eventId']);
  await requireMayRedact(context, requester, redacts);
  const content = contentBytes(parseBody(redactBody, request.body));
  const result = await submitRoomCommand(context, request, {
    roomId,
    inputId: inputIdOf(requester, request),
    sendEvent: { sender: requester.userId, deviceId: requester.deviceId, txnId: request.params['txnId']!, event: { type: 'm.room.redaction', content, redacts }, ...(requester.isAdmin && { byAdmin: true }) },
  });
  return ok(result);
}

export const redactionRoutes: readonly RouteSpec[] = [
  { handler: redactEvent, method: 'PUT', path: `${CLIENT_V3}/rooms/{roomId}/redact/{eventId}/{txnId}`, body: 'optional-json-object', idempotent: true },
];
