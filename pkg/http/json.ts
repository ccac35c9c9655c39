/** Request bodies: bytes in, a JSON value that is safe to walk out. */
import { isUtf8 } from 'node:buffer';
import { closingQuote } from './json-string.ts';
import { MatrixError } from './matrix-error.ts';

/** How deep objects and arrays may be nested. Real events stay below ten; recursion over a value this deep is harmless. */
export const JSON_DEPTH_MAX = 100;

const QUOTE = 0x22;
/** `{` and `[`, `}` and `]` differ by this bit only. */
const CASE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** An escape of half a surrogate pair may stand in the text. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/**
 * The JSON value in `bytes`. Throws `MatrixError`: 400 M_NOT_JSON for bytes that are not UTF-8 or not JSON, 400 M_BAD_JSON for nesting
 * deeper than `JSON_DEPTH_MAX` and for strings with half a surrogate pair (they have no UTF-8 form, so they could not be hashed or stored).
 * Of equal keys the last one counts. A key `__proto__` becomes a plain property of its object and changes no prototype; do not
 * copy such objects with `Object.assign`, spread them.
 */
export function parseJson(bytes: Uint8Array): unknown {
  requireUtf8(bytes);
  // Checked on the bytes, before parsing, so that no recursion ever meets a deep value.
  if (bytes.length > 2 * JSON_DEPTH_MAX && depthOf(bytes) > JSON_DEPTH_MAX) {
    throw new MatrixError(400, 'M_BAD_JSON', `The request body is nested deeper than ${JSON_DEPTH_MAX} levels`);
  }
  return parseJsonText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
}

/** The same bytes; throws 400 M_NOT_JSON for those that are not UTF-8. */
export function requireUtf8(bytes: Uint8Array): Uint8Array {
  if (!isUtf8(bytes)) throw new MatrixError(400, 'M_NOT_JSON', 'The request body is not valid UTF-8');
  return bytes;
}

/** As `parseJson`, for a text whose nesting is known to be harmless. */
export function parseJsonText(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MatrixError(400, 'M_NOT_JSON', 'The request body is not JSON');
  }
  if (text.includes('\\u') && SURROGATE_ESCAPE.test(text) && !isWellFormed(value)) {
    throw new MatrixError(400, 'M_BAD_JSON', 'A string in the request body has half a surrogate pair');
  }
  return value;
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Deepest nesting of braces and brackets outside strings; exact for valid JSON, meaningless but finite for anything else. */
export function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = closingQuote(bytes, at + 1);
      if (at < 0) break;
    } else if ((byte | CASE_BIT) === OPEN) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((byte | CASE_BIT) === CLOSE) depth -= 1;
  }
  return deepest;
}

function isWellFormed(root: unknown): boolean {
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string' && !value.isWellFormed()) return false;
    if (typeof value !== 'object' || value === null) continue;
    const keys = Object.keys(value);
    if (!keys.every((key) => key.isWellFormed())) return false;
    for (const key of keys) waiting.push((value as Record<string, unknown>)[key]);
  }
  return true;
}
