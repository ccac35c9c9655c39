/**
 * A route is a value: the table of all routes is what the HTTP listener, the front's generated configuration, the endpoint tests and the simulator share.
 * Handlers take a request value and return a response value; no handler sees a socket.
 */
import type { Logger } from '../telemetry/logger.ts';
import type { Departure } from './departure.ts';

export type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE';

export interface ApiRequest {
  readonly method: HttpMethod;
  /** Path as received, still percent-encoded, without query. */
  readonly path: string;
  /** Decoded path parameters by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Parsed JSON body; undefined when the request has none. Routes with `body: 'json-object'` get an object, those with `json-bytes` a `Uint8Array`. */
  readonly body: unknown;
  /** Of routes with `raw` only: the body as received, UTF-8; undefined when there is none. */
  readonly rawBody?: string | undefined;
  /** Of routes with `raw` only: path and query as received. */
  readonly rawTarget?: string | undefined;
  /** The route may be used by guests (`Route.guests`); who asks is checked against it where they are identified (`requester.ts`). */
  readonly isOpenToGuests?: boolean;
  /** Access tokens in the query count (setting `access_tokens_in_query`). */
  readonly takesQueryToken?: boolean;
  /** Address of the client, as the listener (or a trusted proxy) tells it. */
  readonly remoteAddress: string;
  /** Follows the request through the logs; in every log line about it. */
  readonly traceId: string;
  readonly logger: Logger;
  /** Aborted when the client has gone or the server is stopping. */
  readonly signal: AbortSignal;
  /** The same in less memory, for who waits long. */
  readonly departure: Departure;
}

export interface ApiResponse {
  readonly status: number;
  /** A value to be sent as JSON, or JSON text that is ready (`json`). */
  readonly body?: unknown;
  /** Ready JSON text; wins over `body`. */
  readonly json?: string | Uint8Array;
  /** JSON text in parts, for what is too large to be held whole; wins over both. The next part is asked for when the client has taken those before. What it throws cuts the connection: the status is out. */
  readonly parts?: AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Which role of the program serves a route; the front sends it there. `any`: every process answers for itself (health, metrics). */
export type HttpRole = 'clientapi' | 'syncapi' | 'federationapi' | 'mediaapi' | 'any';

export interface Route {
  /** The spec's operationId. */
  readonly operationId: string;
  readonly method: HttpMethod;
  /** The spec's template, for example `/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`; what old clients call it is served too (`older-paths.ts`). */
  readonly path: string;
  readonly role: HttpRole;
  /** Whether the last parameter takes the rest of the path, slashes included, and may be empty (state keys). */
  readonly trailing?: boolean;
  /** `json-object`: the body must be a JSON object (default for PUT and POST); `json-bytes`: UTF-8 that the handler parses itself; `form`: fields of an HTML form; `none`: the body is not read. */
  readonly body?: 'json-object' | 'optional-json-object' | 'json-bytes' | 'form' | 'none';
  /** Biggest body in bytes; default 1 MiB. */
  readonly bodyBytesMax?: number;
  /** The handler gets `rawBody` and `rawTarget` too: a signature covers them. */
  readonly raw?: boolean;
  /** Whether guests may use it (Client-Server API, "Guest Access"), always or by its decoded path parameters; what does not say so is refused to them with 403 M_GUEST_ACCESS_FORBIDDEN. */
  readonly guests?: boolean | ((params: Readonly<Record<string, string>>) => boolean);
  /** May be repeated on another instance without harm (front retries). */
  readonly idempotent: boolean;
  /** Of a GET: waits for as long as its parameter `timeout` says. */
  readonly mayWait?: boolean;
  readonly handle: (request: ApiRequest) => Promise<ApiResponse>;
}
