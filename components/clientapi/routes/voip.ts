import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/voip/turnServer — r0. Empty: this server has no TURN server to offer. */
export async function getTurnServer(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await limitedRequester(context, request, 'reading');
  return EMPTY;
}

export const voipRoutes: readonly RouteSpec[] = [{ handler: getTurnServer, method: 'GET', path: `${CLIENT_V3}/voip/turnServer`, idempotent: true }];
