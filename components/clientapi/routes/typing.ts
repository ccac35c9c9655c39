import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, requireSelf, type RouteSpec } from './client-route.ts';

const TIMEOUT_MS_DEFAULT = 30_000;
const TIMEOUT_MS_MAX = 120_000;

const typingBody = z.object({ typing: z.boolean(), timeout: z.int().nonnegative().default(TIMEOUT_MS_DEFAULT) });

/** PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId} — r0 */
export async function setTyping(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'ephemeral');
  const roomId = requireRoomId(request.params['roomId']);
  requireSelf(requester, request.params['userId']);
  const { typing, timeout } = parseBody(typingBody, request.body);
  const timeoutMs = typing ? Math.min(timeout, TIMEOUT_MS_MAX) : 0;
  await submitRoomCommand(context, request, { roomId, setTyping: { userId: requester.userId, typing, timeoutMs } });
  return EMPTY;
}

export const typingRoutes: readonly RouteSpec[] = [{ handler: setTyping, method: 'PUT', path: `${CLIENT_V3}/rooms/{roomId}/typing/{userId}`, idempotent: true }];
