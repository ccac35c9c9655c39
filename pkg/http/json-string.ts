/** Where the strings of JSON end. Long ones are passed over by the platform's own search, many times faster than byte by byte. Pure. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Most strings are shorter: for them a call costs more than it saves. */
const NEAR_BYTES = 32;

/** Place of the quote that ends the string whose inside begins at `from`; -1 when the string does not end within `bytes`. */
export function closingQuote(bytes: Uint8Array, from: number): number {
  let at = from;
  for (const near = Math.min(from + NEAR_BYTES, bytes.length); at < near; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  for (;;) {
    const quote = indexOfQuote(bytes, at);
    if (quote < 0 || backslashesBefore(bytes, { from: at, to: quote }) % 2 === 0) return quote;
    at = quote + 1;
  }
}

/** Whether the string whose inside begins at `from`, and which has no end within `bytes`, is cut off behind the backslash of an escape. */
export function endsWithinEscape(bytes: Uint8Array, from: number): boolean {
  return backslashesBefore(bytes, { from, to: bytes.length }) % 2 === 1;
}

/** How many stand in a row there, none of them before `from`: one that is escaped itself begins no escape. */
function backslashesBefore(bytes: Uint8Array, { from, to }: { from: number; to: number }): number {
  let first = to;
  while (first > from && bytes[first - 1] === BACKSLASH) first -= 1;
  return to - first;
}

function indexOfQuote(bytes: Uint8Array, from: number): number {
  return Buffer.prototype.indexOf.call(bytes, QUOTE, from);
}
