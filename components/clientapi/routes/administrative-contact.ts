import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/account/3pid — r0. No account has any: this server does not send mail, nor short messages. */
export async function getAccount3PIDs(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await limitedRequester(context, request, 'reading');
  return ok({ threepids: [] });
}

export const administrativeContactRoutes: readonly RouteSpec[] = [{ handler: getAccount3PIDs, method: 'GET', path: `${CLIENT_V3}/account/3pid`, idempotent: true }];
