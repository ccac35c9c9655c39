import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/thirdparty/protocols — r0. Empty: no application service bridges to another network. */
export async function getProtocols(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  return EMPTY;
}

export const thirdPartyLookupRoutes: readonly RouteSpec[] = [{ handler: getProtocols, method: 'GET', path: `${CLIENT_V3}/thirdparty/protocols`, idempotent: true }];
