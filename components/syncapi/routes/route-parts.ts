/** What the routes here have in common. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { LimitClass } from '../../../schemas/config/rate-limits.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import type { ReadDeps } from '../sync/deps.ts';

/** For a client that has gone: nobody sees it but the metrics; 499 is what fronts call it in their logs. */
export const CLIENT_GONE: ApiResponse = Object.freeze({ status: 499, body: {} });

export function requesterOf(deps: Pick<ReadDeps, 'userQuery'>, request: ApiRequest): Promise<Requester> {
  return requireRequester(request, deps.userQuery);
}

/** The requester, counted against their rate limit. Throws 401, 403 and 429. */
export async function limitedRequesterOf(deps: Pick<ReadDeps, 'userQuery' | 'limits'>, request: ApiRequest, limitClass: LimitClass): Promise<Requester> {
  const requester = await requesterOf(deps, request);
  if (requester.isRateExempt !== true) deps.limits.take(limitClass, requester.userId);
  return requester;
}

/** A path parameter that the route's template names. */
export function param(request: ApiRequest, name: string): string {
  const value = request.params[name];
  if (value === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', `${name} is missing`);
  return value;
}

/** A query parameter that is a whole number >= 0; undefined when it is absent. Throws 400 M_INVALID_PARAM. */
export function numberParam(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must be a whole number`);
  return Number(text);
}

/** A query parameter that is `true` or `false` (the default). Throws 400 M_INVALID_PARAM. */
export function booleanParam(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === '' || text === 'false') return false;
  if (text === 'true') return true;
  throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must be true or false`);
}

/** A query parameter that is one of `values`; undefined when it is absent. Throws 400 M_INVALID_PARAM. */
export function enumParam<Value extends string>(query: URLSearchParams, name: string, values: readonly Value[]): Value | undefined {
  const text = query.get(name);
  const value = values.find((one) => one === text);
  if (text !== null && value === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must be one of ${values.join(', ')}`);
  return value;
}

/** Parses JSON of a query parameter. Throws 400 M_NOT_JSON. */
export function jsonParam(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MatrixError(400, 'M_NOT_JSON', `${name} is not JSON`);
  }
}
