/**
 * Canonical JSON in about 60% of its bytes, for texts that are kept by the million. Deflate with a dictionary comes to 55% and takes five to seven times as long, most of which it spends on beginning
 * (decision 0012).
 *
 * A packed text is the byte `FORMAT`, the length of the text, and what the text is made of. Canonical JSON has no bytes below 0x20, so these are free to mean something else:
 * - 0x00 to 0x1d: so many bytes and `MATCH_MIN` more (0x1d: and as many more as the length after it says) are the same as those at the place that the next two bytes tell, where the text comes
 *   after the phrases.
 * - 0x1e, 0x1f: a run of base64 (0x1f: of its url-safe form): its length, and six bits for each of its characters.
 * - All others stand for themselves.
 * Lengths have seven bits a byte, the lowest first, and the highest bit of all bytes but the last is set. A text that would not become shorter stays as it is: JSON does not begin with `FORMAT`.
 *
 * What was stored is read for ever: under the same `FORMAT` neither the phrases nor what a byte means may change.
 */
import { PHRASES } from './phrases.ts';

const FORMAT = 1;
const MATCH_MIN = 5;
const LONG_MATCH = 0x1d;
const RUN = 0x1e;
const URL_RUN = 0x1f;
const PLAIN = 0x20;
/** Shorter ones are rather words. */
const RUN_MIN = 20;
const PLACE_MAX = 0xffff;

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const CHARACTERS = Buffer.from(STANDARD);
const URL_CHARACTERS = Buffer.from(`${STANDARD.slice(0, -2)}-_`);
const SIX_BITS = new Uint8Array(256);
/** What a character tells of its run, as bits: it is base64, of the standard form only, of the url-safe one only. 0: it ends the run. */
const KINDS = new Uint8Array(256);
const STANDARD_ONLY = 2;
const URL_ONLY = 4;
for (const [characters, only] of [[CHARACTERS, STANDARD_ONLY], [URL_CHARACTERS, URL_ONLY]] as const) {
  for (const [bits, character] of characters.entries()) {
    SIX_BITS[character] = bits;
    KINDS[character] = bits < 62 ? 1 : only;
  }
}

const PHRASE_BYTES = Buffer.from(PHRASES);
const BASE = PHRASE_BYTES.byteLength;
/** The phrases, then the text. */
let window = new Uint8Array(BASE + 2 ** 16);
window.set(PHRASE_BYTES);
let packed = new Uint8Array(window.byteLength);

/** Where four bytes with this hash were last seen. */
const HASH_BITS = 12;
const places = new Uint16Array(2 ** HASH_BITS);
for (let at = 0; at + 4 <= BASE; at += 1) places[hashAt(at)] = at;
const placesOfPhrases = places.slice();

/** `json`, packed; `json` itself where that would not be shorter. The same text always becomes the same bytes. */
export function packJson(json: Uint8Array): Uint8Array {
  const end = BASE + json.byteLength;
  reserve(end);
  window.set(json, BASE);
  places.set(placesOfPhrases);
  const bytes = pack(end);
  if (json[0] === FORMAT) throw new RangeError('what is to be packed is no JSON');
  return bytes === undefined || bytes >= json.byteLength ? json : Buffer.from(packed.subarray(0, bytes));
}

/** What was given to `packJson`. Throws when `stored` is not what that gave back. */
export function unpackJson(stored: Uint8Array): Uint8Array {
  return stored[0] === FORMAT ? Buffer.from(unpacked(stored)) : stored;
}

/** The same as text. */
export function unpackText(stored: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = stored[0] === FORMAT ? unpacked(stored) : stored;
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}

/** In the window: it stays there until the next one. */
function unpacked(stored: Uint8Array): Uint8Array {
  next = 1;
  const end = BASE + readLength(stored);
  reserve(end);
  unpack(stored, end);
  return window.subarray(BASE, end);
}

/** Room for a text that ends there. Packed it is longer by a few bytes at most, for which the phrases' room is enough. */
function reserve(end: number): void {
  if (end <= window.byteLength) return;
  window = new Uint8Array(end * 2);
  window.set(PHRASE_BYTES);
  packed = new Uint8Array(window.byteLength);
}

/** Packs the text in the window; into how many bytes. undefined: it is none that can be packed. */
function pack(end: number): number | undefined {
  packed[0] = FORMAT;
  let to = writeLength(1, end - BASE);
  // Up to there no run begins: one that is too short was looked at from its beginning.
  let runFrom = BASE;
  for (let at = BASE; at < end;) {
    const byte = window[at]!;
    if (byte < PLAIN) return undefined;
    const place = placeLike(at);
    const match = matchLength(place, at, end);
    const run = at < runFrom ? 0 : runLength(at, end);
    if (run > 0) runFrom = at + run;
    if (run >= RUN_MIN && run > match) {
      to = writeRun(to, at, run);
      at += run;
    } else if (match >= MATCH_MIN) {
      to = writeMatch(to, place, match);
      at += match;
    } else {
      packed[to++] = byte;
      at += 1;
    }
  }
  return to;
}

/** An earlier place that may have the same bytes as this one, of which a later look may be told. */
function placeLike(at: number): number {
  const hash = hashAt(at);
  const place = places[hash]!;
  if (at <= PLACE_MAX) places[hash] = at;
  return place;
}

/** Of the four bytes there. Those beyond the end of the text, whatever they are, make no match. */
function hashAt(at: number): number {
  const four = window[at]! | (window[at + 1]! << 8) | (window[at + 2]! << 16) | (window[at + 3]! << 24);
  return Math.imul(four, 0x9e3779b1) >>> (32 - HASH_BITS);
}

/** How many bytes are the same at both places; they may overlap. */
function matchLength(place: number, at: number, end: number): number {
  let length = 0;
  while (at + length < end && window[place + length] === window[at + length]) length += 1;
  return length;
}

/** How many characters from there on are base64, all of one form. */
function runLength(from: number, end: number): number {
  let seen = 0;
  let at = from;
  for (; at < end; at += 1) {
    const kind = KINDS[window[at]!]!;
    if (kind === 0 || (seen | kind) >= STANDARD_ONLY + URL_ONLY) break;
    seen |= kind;
  }
  return at - from;
}

function writeRun(token: number, from: number, length: number): number {
  let to = writeLength(token + 1, length);
  let seen = 0;
  let bits = 0;
  let waiting = 0;
  for (let at = from; at < from + length; at += 1) {
    const character = window[at]!;
    seen |= KINDS[character]!;
    bits = ((bits << 6) | SIX_BITS[character]!) & 0xffff;
    waiting += 6;
    if (waiting < 8) continue;
    waiting -= 8;
    packed[to++] = bits >> waiting;
  }
  if (waiting > 0) packed[to++] = bits << (8 - waiting);
  packed[token] = seen >= URL_ONLY ? URL_RUN : RUN;
  return to;
}

function writeMatch(token: number, place: number, length: number): number {
  const more = length - MATCH_MIN;
  packed[token] = Math.min(more, LONG_MATCH);
  packed[token + 1] = place >> 8;
  packed[token + 2] = place;
  return more < LONG_MATCH ? token + 3 : writeLength(token + 3, more - LONG_MATCH);
}

function writeLength(at: number, length: number): number {
  let to = at;
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) packed[to++] = (rest & 0x7f) | 0x80;
  packed[to++] = rest;
  return to;
}

/** The next byte to be read of what is unpacked. */
let next = 0;

/** Fills the window with the text, which ends there. */
function unpack(stored: Uint8Array, end: number): void {
  let to = BASE;
  while (next < stored.byteLength && to < end) {
    const token = stored[next++]!;
    if (token >= PLAIN) window[to++] = token;
    else if (token >= RUN) to = copyRun(stored, token === RUN ? CHARACTERS : URL_CHARACTERS, to, end);
    else to = copyMatch(stored, token, to, end);
  }
  if (to !== end || next !== stored.byteLength) throw damaged();
}

function copyMatch(stored: Uint8Array, token: number, from: number, end: number): number {
  let place = (stored[next]! << 8) | stored[next + 1]!;
  next += 2;
  const length = MATCH_MIN + token + (token === LONG_MATCH ? readLength(stored) : 0);
  if (place >= from || length > end - from) throw damaged();
  let to = from;
  // Byte by byte: a match may run into what it makes.
  for (const stop = from + length; to < stop; to += 1, place += 1) window[to] = window[place]!;
  return to;
}

function copyRun(stored: Uint8Array, characters: Uint8Array, from: number, end: number): number {
  const length = readLength(stored);
  if (length > end - from) throw damaged();
  let to = from;
  let bits = 0;
  let waiting = 0;
  for (const stop = from + length; to < stop; to += 1) {
    if (waiting < 6) {
      bits = ((bits << 8) | stored[next++]!) & 0xffff;
      waiting += 8;
    }
    waiting -= 6;
    window[to] = characters[(bits >> waiting) & 0x3f]!;
  }
  return to;
}

function readLength(stored: Uint8Array): number {
  let length = 0;
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = stored[next++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return length;
  }
  throw damaged();
}

function damaged(): Error {
  return new Error('what was stored is no packed JSON');
}
