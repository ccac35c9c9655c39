/** What all route files share: a route of the clientapi, and who is asking. */
import { requireRequester } from '../../../pkg/http/requester.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import type { LimitClass } from '../checks/request-limits.ts';
import type { Context } from '../context.ts';

export const CLIENT_V3 = '/_matrix/client/v3';
export const EMPTY: ApiResponse = { status: 200, json: '{}' };

export type Handler = (context: Context, request: ApiRequest) => Promise<ApiResponse>;

/** A route as the files of this folder write it down: the handler's name is the spec's operationId. */
export type RouteSpec = Omit<Route, 'role' | 'operationId' | 'handle'> & { readonly handler: Handler };

export function clientRoute(context: Context, { handler, ...spec }: RouteSpec): Route {
  return { ...spec, operationId: handler.name, role: 'clientapi', handle: (request) => handler(context, request) };
}

export function ok(body: Record<string, unknown>): ApiResponse {
  return { status: 200, body };
}

/** The requester, counted against their rate limit. Throws 401 and 429. */
export async function limitedRequester(context: Context, request: ApiRequest, limitClass: LimitClass): Promise<Requester> {
  const requester = await requireRequester(request, context.userQuery);
  if (requester.isRateExempt !== true) context.limits.take(limitClass, requester.userId);
  context.activeUsers?.note(requester.userId, limitClass);
  return requester;
}

/** For `/user/{userId}/…` and the like: throws 403 M_FORBIDDEN when the path names somebody else. */
export function requireSelf(requester: Requester, userId: string | undefined): void {
  if (userId !== requester.userId) throw new MatrixError(403, 'M_FORBIDDEN', 'This can only be done for oneself');
}
