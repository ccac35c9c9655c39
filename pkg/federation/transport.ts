/**
 * The way to other servers, as the rest of the program sees it: one JSON request, one JSON answer. `transport/` fulfils it over HTTPS; the simulator hands the request
 * to the other server's router. What goes wrong is a `FederationError` that says whose fault it is.
 */

export interface FederationRequest {
  /** Server name (before delegation) of who is asked. */
  readonly destination: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Path with its parameters percent-encoded, for example `/_matrix/federation/v1/event/%24abc`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** The JSON object to send. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The same as ready canonical JSON text; wins over `body`. */
  readonly json?: string;
  /** The answer is a list of a status and the object that counts, as `/v1/send_join`, `/v1/send_leave` and `/v1/invite` have it. */
  readonly answersInPair?: boolean;
  /** How long the whole may take, in ms from now: waiting for a free connection, finding the server, asking it and reading what it says. */
  readonly deadlineMs: number;
  /** Value of the Authorization header; `signedTransport` fills it in. */
  readonly authorization?: string;
  /** Biggest answer in bytes that is read; the transport's own limit by default. */
  readonly responseBytesMax?: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

export interface FederationResponse {
  /** 200 to 299. */
  readonly status: number;
  /** The object that the answer is; of a pair, that in it. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request to something that is no homeserver, at an address that others may have chosen (an identity server, where a key's validity is told). */
export interface WebRequest {
  readonly method: 'GET' | 'POST';
  /** HTTPS only. */
  readonly url: URL;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Value of the Authorization header. */
  readonly authorization?: string;
  /** How long the whole may take, in ms from now. */
  readonly deadlineMs: number;
}

export interface FederationTransport {
  /** Rejects with `FederationError`, also for every status outside 200 to 299. */
  request(request: FederationRequest): Promise<FederationResponse>;
  /** The same for the web: nothing is signed, no redirect followed, and no address connected to that servers may not have. Absent: nothing of it can be reached. */
  web?(request: WebRequest): Promise<FederationResponse>;
}

/**
 * - `unreachable`: no such name, no connection, or one that broke off.
 * - `untrusted`: the certificate is not the server's, or nobody we trust signed it.
 * - `timeout`: the deadline passed.
 * - `refused`: our own policy forbids to connect (address ranges, server names).
 * - `overloaded`: too many requests to this destination wait already; nothing was sent.
 * - `garbage`: an answer that is no JSON object, too big, too deep, or a redirect.
 * - `http`: an answer with an error status.
 * - `cancelled`: the caller's signal was aborted.
 */
export type FederationErrorKind = 'unreachable' | 'untrusted' | 'timeout' | 'refused' | 'overloaded' | 'garbage' | 'http' | 'cancelled';

export class FederationError extends Error {
  override readonly name = 'FederationError';
  readonly kind: FederationErrorKind;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** The spec's error code, where the answer had one. */
  readonly errcode: string | undefined;
  /** The answer's object, for errors that carry more (`M_INCOMPATIBLE_ROOM_VERSION`). */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  /** How long the destination asked to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FederationErrorKind, message: string, more: Partial<Pick<FederationError, 'status' | 'errcode' | 'body' | 'retryAfterMs' | 'cause'>> = {}) {
    super(message, { cause: more.cause });
    this.kind = kind;
    this.status = more.status;
    this.errcode = more.errcode;
    this.body = more.body;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/**
 * Whether a failed request says that the destination as a whole is in trouble, so that others to it should back off too. A refusal of this one request (403, 404 with
 * an error code) shows a healthy server; our own policy, load or change of mind says nothing about it.
 */
export function isDestinationFailing(error: unknown): boolean {
  if (!(error instanceof FederationError)) return false;
  switch (error.kind) {
    case 'unreachable':
    case 'untrusted':
    case 'timeout':
    case 'garbage':
      return true;
    case 'http':
      return (error.status ?? 0) >= 500 || error.status === 429 || error.errcode === undefined;
    default:
      return false;
  }
}

/** Path and query as they stand in the request line and in the signature. */
export function requestTarget(request: Pick<FederationRequest, 'path' | 'query'>): string {
  const pairs = Object.entries(request.query ?? {}).flatMap(([name, values]) => (typeof values === 'string' ? [values] : values)
    .map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`));
  return pairs.length === 0 ? request.path : `${request.path}?${pairs.join('&')}`;
}
