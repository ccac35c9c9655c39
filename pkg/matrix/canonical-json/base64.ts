/** Unpadded base64 (spec: appendices): the standard alphabet for keys, hashes and signatures, the URL-safe one for event IDs. */

const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]*={0,2}$/;

/** Standard alphabet, no padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return trimPadding(view(bytes).toString('base64'));
}

/** URL-safe alphabet, no padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}

/** Bytes of standard base64 with or without padding; undefined when `text` is something else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  return decode(text, STANDARD);
}

/** Bytes of URL-safe base64 with or without padding; undefined when `text` is something else. */
export function decodeBase64Url(text: string): Uint8Array | undefined {
  return decode(text, URL_SAFE);
}

function decode(text: string, alphabet: RegExp): Uint8Array | undefined {
  if (!alphabet.test(text)) return undefined;
  const digits = trimPadding(text);
  if (digits.length % 4 === 1) return undefined;
  return new Uint8Array(Buffer.from(digits, 'base64'));
}

/** `text` without `=` at its end. */
export function trimPadding(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x3d) end--;
  return end === text.length ? text : text.slice(0, end);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
