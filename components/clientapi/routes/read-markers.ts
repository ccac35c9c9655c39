import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import { requireEventId, requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { setReadPosition } from '../rooms/set-read-position.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

const readMarkersBody = z.object({ 'm.fully_read': z.string().optional(), 'm.read': z.string().optional(), 'm.read.private': z.string().optional() });

/** POST /_matrix/client/v3/rooms/{roomId}/read_markers — r0, changed in v1.4 (private receipts) */
export async function setReadMarker(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'ephemeral');
  const roomId = requireRoomId(request.params['roomId']);
  const body = parseBody(readMarkersBody, request.body);
  const positions = Object.entries(body).flatMap(([receiptType, eventId]) => (eventId === undefined ? [] : [{ roomId, receiptType, eventId: requireEventId(eventId) }]));
  await Promise.all(positions.map((position) => setReadPosition(context, request, requester, position)));
  return EMPTY;
}

export const readMarkersRoutes: readonly RouteSpec[] = [
  { handler: setReadMarker, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/read_markers`, idempotent: true },
];
