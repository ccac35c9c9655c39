import { NO_DEVICE } from '../../../pkg/http/appservices.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/account/whoami — r0, changed in v1.2 (is_guest) */
export async function getTokenOwner(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, deviceId, isGuest } = await limitedRequester(context, request, 'reading');
  return ok({ user_id: userId, ...(deviceId === NO_DEVICE ? {} : { device_id: deviceId }), is_guest: isGuest });
}

export const whoamiRoutes: readonly RouteSpec[] = [{ handler: getTokenOwner, method: 'GET', path: `${CLIENT_V3}/account/whoami`, guests: true, idempotent: true }];
