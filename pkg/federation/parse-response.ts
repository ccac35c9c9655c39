/** What another server answered, as a value or as an error. Pure. */
import { isUtf8 } from 'node:buffer';
import { depthOf, isJsonObject } from '../http/json.ts';
import { CANONICAL_JSON_DEPTH_MAX } from '../matrix/canonical-json/canonical-json.ts';
import { FederationError } from './transport.ts';
import type { FederationResponse } from './transport.ts';

/** Bytes from the wire. */
export interface RawResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** It was looked at as it came (`pkg/http/json-scan.ts`): it is not too deep. */
  readonly isScanned?: boolean;
}

/**
 * Deeper than any event that could be hashed, so that one deep event spoils itself and not the answer that it comes in; what is deeper still is refused as a whole,
 * before anything recurses over it.
 */
export const DEPTH_MAX = CANONICAL_JSON_DEPTH_MAX;
const ERRCODE = /^[A-Za-z0-9_.]{1,255}$/;
const ERROR_TEXT_MAX = 200;
const RETRY_AFTER_MS_MAX = 24 * 3_600_000;

/**
 * The answer of `destination`; `inPair`: its object stands in a list, after a status (`answersInPair`). Throws `FederationError` of kind `http` for statuses from 400 on, `garbage` for what
 * is no answer of the API.
 */
export function parseResponse(response: RawResponse, destination: string, inPair = false): FederationResponse {
  const { status } = response;
  if (status >= 300 && status < 400) throw new FederationError('garbage', `${destination} answered with a redirect (${status}); requests between servers follow none`, { status });
  if (status < 200 || status > 599) throw new FederationError('garbage', `${destination} answered with the status ${status}`, { status });
  const body = parseObject(response, inPair && status < 300);
  if (status < 300) {
    if (typeof body === 'string') throw new FederationError('garbage', `${destination} answered ${status} with ${body}`, { status });
    return { status, body };
  }
  throw httpError(response, destination, typeof body === 'string' ? undefined : body);
}

/** The JSON object in the body, or what it is instead. Equal keys: the last one counts. */
function parseObject({ body: bytes, isScanned }: RawResponse, inPair: boolean): Record<string, unknown> | 'no UTF-8' | 'no JSON' | 'JSON that is no object' | 'JSON that is nested too deep' {
  if (!isUtf8(bytes)) return 'no UTF-8';
  if (isScanned !== true && depthOf(bytes) > DEPTH_MAX) return 'JSON that is nested too deep';
  try {
    const whole: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    const value: unknown = inPair && Array.isArray(whole) && whole.length === 2 && whole[0] === 200 ? whole[1] : whole;
    return isJsonObject(value) ? value : 'JSON that is no object';
  } catch {
    return 'no JSON';
  }
}

function httpError({ status, headers }: RawResponse, destination: string, body: Record<string, unknown> | undefined): FederationError {
  const errcode = typeof body?.errcode === 'string' && ERRCODE.test(body.errcode) ? body.errcode : undefined;
  const said = typeof body?.error === 'string' ? `: ${body.error.slice(0, ERROR_TEXT_MAX).toWellFormed()}` : '';
  return new FederationError('http', `${destination} answered ${status}${errcode === undefined ? '' : ` ${errcode}`}${said}`, {
    status, errcode, body, retryAfterMs: retryAfterMs(headers['retry-after'], body?.retry_after_ms),
  });
}

function retryAfterMs(header: string | undefined, field: unknown): number | undefined {
  const ms = header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : field;
  return typeof ms === 'number' && ms >= 0 ? Math.min(ms, RETRY_AFTER_MS_MAX) : undefined;
}
