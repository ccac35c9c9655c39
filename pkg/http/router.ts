/**
 * From a request value to a response value. No sockets here: the listener calls it in production, the simulator and the tests call it directly.
 *
 * 1. find the route (`route-table.ts`): 404 or 405 M_UNRECOGNIZED otherwise; OPTIONS is answered without any logic of the route
 * 2. decode the path parameters, parse the body
 * 3. call the handler
 * 4. turn what it threw into the standard error response (`error-response.ts`), log what is our fault
 * 5. add the CORS headers
 */
import type { Runtime } from '../runtime/runtime.ts';
import { noMetrics, type Metrics } from '../telemetry/metrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import { lazyChild } from '../telemetry/request-logger.ts';
import { traceIdOf } from '../telemetry/trace.ts';
import { bodyBytesMaxOf, bodyTooLarge, parseBody } from './body.ts';
import { CORS_HEADERS, PREFLIGHT_HEADERS } from './cors.ts';
import { errorResponse } from './error-response.ts';
import { MatrixError } from './matrix-error.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { buildRouteTable, decodeParams, paramNamesOf, type Found } from './route-table.ts';
import type { ApiRequest, ApiResponse, HttpMethod, Route } from './route.ts';
import type { Departure } from './departure.ts';

export interface RawRequest {
  /** Upper case. HEAD is served as GET; whoever sends the response leaves the body out. */
  readonly method: string;
  /** As received, still percent-encoded, without the query. */
  readonly path: string;
  /** What follows the question mark, without it; empty when there is none. */
  readonly queryString: string;
  /** Path and query as received, where the two do not tell all: with a question mark and nothing behind it. */
  readonly target?: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: Uint8Array;
  /** The body is larger than `bodyBytesMax` allows and was not read. */
  readonly bodyTooLarge?: boolean;
  readonly remoteAddress: string;
  readonly departure: Departure;
}

export interface Router {
  /** Never rejects. Headers of the response have lower-case names. */
  dispatch(request: RawRequest): Promise<ApiResponse>;
  /** How many bytes of body the route of this path takes, 0 where none is read: the listener reads no more. */
  bodyBytesMax(method: string, path: string): number;
  /** Whether a GET of this path may wait for long (`Route.mayWait`). */
  mayWait(path: string): boolean;
  readonly routes: readonly Route[];
}

interface Entry {
  readonly route: Route;
  readonly paramNames: readonly string[];
}

type FoundRoute = Extract<Found<Entry>, { kind: 'route' }>;

/** What is held of a request until it is answered. */
interface UnderWay {
  readonly traceId: string;
  readonly operation: string;
  readonly startedAt: number;
  readonly departure: Departure;
}

export interface RouterOptions {
  readonly runtime: Runtime;
  readonly metrics?: Metrics;
  /** Access tokens may stand in the query (`access-token.ts`); not by default. */
  readonly queryTokens?: boolean;
}

/** Throws when two of `routes` have the same method and path. */
export function createRouter(routes: readonly Route[], options: RouterOptions): Router {
  const { clock, random, logger } = options.runtime;
  const table = buildRouteTable(routes.map((route) => ({ route, entry: { route, paramNames: paramNamesOf(route.path) } })));
  const requestMetrics = createRequestMetrics(options.metrics ?? noMetrics());

  /** Rejects with what the handler rejects with, or throws. */
  function handle(raw: RawRequest, found: FoundRoute, traceId: string): Promise<ApiResponse> {
    const requestLogger = lazyChild(logger, { traceId, operation: found.entry.route.operationId });
    return found.entry.route.handle(new RoutedRequest(raw, found, { traceId, logger: requestLogger, takesQueryToken: options.queryTokens === true }));
  }

  function failed({ traceId, operation, departure }: UnderWay, error: unknown): ApiResponse {
    const { response, blame } = errorResponse(error, traceId);
    if (departure.isDue) logger.debug({ traceId, operation, error }, 'request failed after its client had gone');
    else if (blame === 'bug') logger.error({ traceId, operation, error }, 'request failed');
    else if (blame === 'unavailable') logger.warn({ traceId, operation, error, status: response.status }, 'request could not be served');
    return response;
  }

  function ended({ traceId, operation, startedAt }: UnderWay, response: ApiResponse): ApiResponse {
    const ms = clock.monotonic() - startedAt;
    requestMetrics.ended(operation, response.status, ms);
    logger.debug({ traceId, operation, status: response.status, ms: Math.round(ms * 10) / 10 }, 'request');
    return withHeaders(response);
  }

  return {
    routes,
    bodyBytesMax(method, path) {
      const found = table.find(method, path);
      return found.kind === 'route' ? bodyBytesMaxOf(found.entry.route) : 0;
    },
    mayWait(path) {
      const found = table.find('GET', path);
      return found.kind === 'route' && found.entry.route.mayWait === true;
    },
    // Not an async function: that would hold the request until it is answered, and long polls are many.
    dispatch(raw) {
      const startedAt = clock.monotonic();
      requestMetrics.started();
      const traceId = traceIdOf(raw.headers['traceparent'], random);
      const found = table.find(raw.method === 'HEAD' ? 'GET' : raw.method, raw.path);
      const underWay: UnderWay = { traceId, startedAt, departure: raw.departure, operation: found.kind === 'route' ? found.entry.route.operationId : 'none' };
      if (found.kind !== 'route') return Promise.resolve(ended(underWay, withoutRoute(raw.method, found)));
      try {
        return handle(raw, found, traceId).then((response) => ended(underWay, response), (error: unknown) => ended(underWay, failed(underWay, error)));
      } catch (error) {
        return Promise.resolve(ended(underWay, failed(underWay, error)));
      }
    },
  };
}

/** A class for its getter: most handlers ask for no signal, and then none is made. */
class RoutedRequest implements ApiRequest {
  readonly method: HttpMethod;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
  readonly rawBody: string | undefined;
  readonly rawTarget: string | undefined;
  readonly isOpenToGuests: boolean;
  readonly takesQueryToken: boolean;
  readonly remoteAddress: string;
  readonly traceId: string;
  readonly logger: Logger;
  readonly departure: Departure;

  /** Throws as `decodeParams`, `queryOf` and `parseBody` do, and 413 M_TOO_LARGE. */
  constructor(raw: RawRequest, found: FoundRoute, more: Required<Pick<ApiRequest, 'traceId' | 'logger' | 'takesQueryToken'>>) {
    const { route, paramNames } = found.entry;
    const bytesMax = bodyBytesMaxOf(route);
    this.params = decodeParams(paramNames, found.rawParams);
    if (raw.bodyTooLarge === true && bytesMax > 0) throw bodyTooLarge(bytesMax);
    this.method = route.method;
    this.path = raw.path;
    this.query = queryOf(raw.queryString);
    this.headers = raw.headers;
    this.body = parseBody(route, raw.body);
    this.rawBody = route.raw === true ? rawBodyOf(raw) : undefined;
    this.rawTarget = route.raw === true ? rawTargetOf(raw) : undefined;
    this.isOpenToGuests = typeof route.guests === 'function' ? route.guests(this.params) : route.guests === true;
    this.takesQueryToken = more.takesQueryToken;
    this.remoteAddress = raw.remoteAddress;
    this.traceId = more.traceId;
    this.logger = more.logger;
    this.departure = raw.departure;
  }

  get signal(): AbortSignal {
    return this.departure.signal;
  }
}

/** Throws 400 M_INVALID_PARAM for a NUL, which no database column holds. */
function queryOf(queryString: string): URLSearchParams {
  if (queryString.includes('%00')) throw new MatrixError(400, 'M_INVALID_PARAM', 'A query parameter contains a NUL character');
  return new URLSearchParams(queryString);
}

/** Only for a body that was parsed, so it is UTF-8. */
function rawBodyOf({ body }: RawRequest): string | undefined {
  return body === undefined || body.length === 0 ? undefined : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

function rawTargetOf({ path, queryString, target }: RawRequest): string {
  return target ?? (queryString === '' ? path : `${path}?${queryString}`);
}

/** OPTIONS on any path is a preflight (no route's logic runs); else the path is unknown, or the method is. */
function withoutRoute(method: string, found: Exclude<Found<Entry>, { kind: 'route' }>): ApiResponse {
  if (method === 'OPTIONS') return { status: 200, body: {}, headers: PREFLIGHT_HEADERS };
  if (found.kind === 'nothing') return unrecognized(404, 'There is no such endpoint');
  return { ...unrecognized(405, `This endpoint does not serve ${method}`), headers: { allow: [...found.methods, 'OPTIONS'].join(', ') } };
}

function unrecognized(status: number, error: string): ApiResponse {
  return { status, body: { errcode: 'M_UNRECOGNIZED', error } };
}

const JSON_HEADERS: Readonly<Record<string, string>> = Object.freeze({ ...CORS_HEADERS, 'content-type': 'application/json' });

/** CORS headers and a content type, unless the handler gave its own. */
function withHeaders(response: ApiResponse): ApiResponse {
  if (response.headers === undefined) return { ...response, headers: JSON_HEADERS };
  const headers: Record<string, string> = { ...JSON_HEADERS };
  for (const [name, value] of Object.entries(response.headers)) headers[name.toLowerCase()] = value;
  return { ...response, headers };
}
