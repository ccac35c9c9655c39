/** The body of a request as its route wants it, and the bytes of a response. */
import { isJsonObject, parseJson, requireUtf8 } from './json.ts';
import { createJsonScan } from './json-scan.ts';
import { MatrixError } from './matrix-error.ts';
import type { ApiResponse, Route } from './route.ts';

export const BODY_BYTES_MAX_DEFAULT = 1024 * 1024;
/** Bigger bodies are looked at before they are parsed: nobody has been authenticated by then. */
const SCANNED_FROM_BYTES = 1024 * 1024;

/** How the body of `route` is read: what it says itself, else by its method. */
export function bodyModeOf(route: Pick<Route, 'method' | 'body'>): NonNullable<Route['body']> {
  return route.body ?? (route.method === 'PUT' || route.method === 'POST' ? 'json-object' : 'none');
}

/** Biggest body in bytes that `route` takes; 0 when it takes none. */
export function bodyBytesMaxOf(route: Pick<Route, 'method' | 'body' | 'bodyBytesMax'>): number {
  return bodyModeOf(route) === 'none' ? 0 : (route.bodyBytesMax ?? BODY_BYTES_MAX_DEFAULT);
}

/**
 * The parsed body, an object (of texts, of a form), or its bytes; undefined where the route reads none, or where it is optional and absent. Throws `MatrixError`: 413 M_TOO_LARGE, 400 M_NOT_JSON,
 * 400 M_BAD_JSON when it is JSON but no object, and what `parseJson` throws.
 */
export function parseBody(route: Pick<Route, 'method' | 'body' | 'bodyBytesMax'>, bytes: Uint8Array | undefined): unknown {
  const mode = bodyModeOf(route);
  if (mode === 'none') return undefined;
  if (bytes === undefined || bytes.length === 0) {
    if (mode === 'form') return {};
    if (mode === 'optional-json-object') return undefined;
    throw new MatrixError(400, 'M_NOT_JSON', 'The request has no body; a JSON object is needed');
  }
  if (bytes.length > bodyBytesMaxOf(route)) throw bodyTooLarge(bodyBytesMaxOf(route));
  if (mode === 'form') return parseForm(bytes);
  if (bytes.length > SCANNED_FROM_BYTES && createJsonScan(Number.POSITIVE_INFINITY).take(bytes) !== undefined) throw new MatrixError(400, 'M_BAD_JSON', 'The request body is made of too many values');
  if (mode === 'json-bytes') return requireUtf8(bytes);
  const value = parseJson(bytes);
  if (!isJsonObject(value)) throw new MatrixError(400, 'M_BAD_JSON', 'The request body must be a JSON object');
  return value;
}

/** The fields of a form (application/x-www-form-urlencoded) by their names; of several of one name the last. */
function parseForm(bytes: Uint8Array): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')));
}

export function bodyTooLarge(bytesMax: number): MatrixError {
  return new MatrixError(413, 'M_TOO_LARGE', `The request body is larger than ${bytesMax} bytes`);
}

/** The same response with its parts put together, for who reads it in process. */
export async function gathered(response: ApiResponse): Promise<ApiResponse> {
  const { parts, ...rest } = response;
  if (parts === undefined) return response;
  let json = '';
  for await (const part of parts) json += part;
  return { ...rest, json };
}

/** What goes over the wire: ready JSON as it is, else `body` as JSON, else nothing. */
export function responseBytes(response: ApiResponse): string | Uint8Array {
  if (response.json !== undefined) return response.json;
  return response.body === undefined ? '' : JSON.stringify(response.body);
}
