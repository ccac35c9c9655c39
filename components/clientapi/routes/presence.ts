import * as z from 'zod';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody, text } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, requireSelf, type RouteSpec } from './client-route.ts';

const presenceBody = z.object({ presence: z.enum(['online', 'offline', 'unavailable']), status_msg: text.optional() });

/** PUT /_matrix/client/v3/presence/{userId}/status — r0. Reading it is the syncapi's. */
export async function setPresence(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requireRequester(request, context.userQuery);
  if (requester.isRateExempt !== true) context.limits.take('ephemeral', requester.userId);
  requireSelf(requester, request.params['userId']);
  const { presence, status_msg: statusMsg } = parseBody(presenceBody, request.body);
  await submitUserCommand(context, request, { userId: requester.userId, setPresence: { presence, statusMsg: statusMsg ?? '' } });
  return EMPTY;
}

export const presenceRoutes: readonly RouteSpec[] = [{ handler: setPresence, method: 'PUT', path: `${CLIENT_V3}/presence/{userId}/status`, idempotent: true }];
