/**
 * Canonical JSON (spec: appendices, "Canonical JSON"): the one encoding of a JSON value that hashes and signatures are made of. Shortest form, object keys in
 * order of code points, integers only. `tolerantJson` is the same for events of old rooms, which need not be canonical.
 */

import { anyNumberText } from './number-text.ts';

/** The value has no canonical form: a fraction, an integer beyond ±(2^53-1), half a surrogate pair, something that is not JSON, or nesting too deep. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
}

/** Nesting beyond this is refused: it would only serve to exhaust the stack. */
export const CANONICAL_JSON_DEPTH_MAX = 512;

/** Escaped form of keys seen before: few keys make up nearly all events. Holds no key with a unit from U+D800 on (see `sortKeys`). */
const escapedKeys = new Map<string, string>();
const CACHED_KEYS_MAX = 4096;
const CACHED_KEY_LENGTH_MAX = 64;
const FROM_SURROGATES_ON = /[\ud800-\uffff]/;
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * Text of `value` in canonical JSON; its UTF-8 bytes are what is hashed and signed. Members of objects that are undefined are left out, as in JSON; `-0` becomes `0`.
 * Throws `CanonicalJsonError`.
 */
export function canonicalJson(value: unknown): string {
  return encode(value, 0, integerText);
}

/**
 * `canonicalJson` that takes numbers as events of room versions 1 to 5 may have them (`number-text.ts`). Throws `CanonicalJsonError` for everything else that has no canonical form.
 */
export function tolerantJson(value: unknown): string {
  return encode(value, 0, anyNumberText);
}

/** A member of an object and its text, `"key":value`. */
export interface MemberText {
  readonly key: string;
  readonly text: string;
}

/** The members of an object in canonical order: `canonicalJson` of it is their texts, parted by commas, in braces. Throws `CanonicalJsonError`. */
export function canonicalMembers(object: object): MemberText[] {
  return membersOf(object as Record<string, unknown>, integerText);
}

/** The same for `tolerantJson`. */
export function tolerantMembers(object: object): MemberText[] {
  return membersOf(object as Record<string, unknown>, anyNumberText);
}

function membersOf(object: Record<string, unknown>, numberText: NumberText): MemberText[] {
  const members: MemberText[] = [];
  for (const key of sortKeys(Object.keys(object))) {
    const value = object[key];
    if (value !== undefined) members.push({ key, text: `${escapedKeys.get(key) ?? escapeKey(key)}:${encode(value, 1, numberText)}` });
  }
  return members;
}

type NumberText = (value: number) => string | undefined;

function encode(value: unknown, depth: number, numberText: NumberText): string {
  switch (typeof value) {
    case 'string':
      return encodeString(value);
    case 'number':
      return encodeNumber(value, numberText);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= CANONICAL_JSON_DEPTH_MAX) throw new CanonicalJsonError(`nested deeper than ${CANONICAL_JSON_DEPTH_MAX} levels`);
      return Array.isArray(value) ? encodeArray(value, depth + 1, numberText) : encodeObject(value as Record<string, unknown>, depth + 1, numberText);
    default:
      throw new CanonicalJsonError(`a value of type ${typeof value} is not JSON`);
  }
}

function encodeNumber(value: number, numberText: NumberText): string {
  const text = numberText(value);
  if (text === undefined) throw new CanonicalJsonError(`the number ${value} is not an integer within ±(2^53-1)`);
  return text;
}

function integerText(value: number): string | undefined {
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

function encodeString(value: string): string {
  if (!NEEDS_ESCAPE.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new CanonicalJsonError('a string holds half a surrogate pair');
  return JSON.stringify(value);
}

function encodeArray(values: readonly unknown[], depth: number, numberText: NumberText): string {
  let text = '[';
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ',';
    text += encode(values[index], depth, numberText);
  }
  return text + ']';
}

function encodeObject(object: Record<string, unknown>, depth: number, numberText: NumberText): string {
  const keys = sortKeys(Object.keys(object));
  let text = '{';
  let separator = '';
  for (const key of keys) {
    const value = object[key];
    if (value === undefined) continue;
    text += separator + (escapedKeys.get(key) ?? escapeKey(key)) + ':' + encode(value, depth, numberText);
    separator = ',';
  }
  return text + '}';
}

function escapeKey(key: string): string {
  const escaped = encodeString(key);
  if (key.length <= CACHED_KEY_LENGTH_MAX && !FROM_SURROGATES_ON.test(key)) {
    if (escapedKeys.size >= CACHED_KEYS_MAX) escapedKeys.clear();
    escapedKeys.set(key, escaped);
  }
  return escaped;
}

/**
 * Sorts in place by code point. JavaScript compares UTF-16 units, which is the same order except between surrogates (code points from U+10000 on) and U+E000 to U+FFFF.
 * Keys without such units are told by the cache or by one scan.
 */
function sortKeys(keys: string[]): string[] {
  let sorted = true;
  let plain = true;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (plain && !escapedKeys.has(key) && FROM_SURROGATES_ON.test(key)) plain = false;
    if (sorted && index > 0 && (keys[index - 1] as string) > key) sorted = false;
  }
  if (!plain) return keys.sort(compareCodePoints);
  return sorted ? keys : keys.sort();
}

/** Order of strings by code point: negative, zero or positive. */
export function compareCodePoints(left: string, right: string): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Puts the surrogates above all other units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
