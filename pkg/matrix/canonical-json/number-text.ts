/**
 * Numbers in events of room versions 1 to 5, which may be fractions and integers beyond ±(2^53-1) (rooms/v1, "Canonical JSON"). Their hashes are over the text that their sender made of
 * them, and a parsed number does not tell that text: this is the one that servers make of such a number. Where the sender wrote it otherwise (`1.0`, `1e3`, an integer that a double
 * does not hold), the event's signature does not match, and the event is none.
 */

/** The limit of `depth`, 2^63-1, is no double; what is read in its place is 2^63. */
const INT64_LIMIT = 2 ** 63;
const INT64_MAX = '9223372036854775807';
/** From here on no integer is meant: nobody's integers are that wide. */
const INTEGERS_END = 2 ** 64;
/** Fractions below this are written with an exponent. */
const PLAIN_FROM = 1e-4;

/** undefined for what is no number in JSON. */
export function anyNumberText(value: number): string | undefined {
  if (Number.isSafeInteger(value)) return String(value);
  if (!Number.isFinite(value)) return undefined;
  const size = Math.abs(value);
  if (size >= INTEGERS_END || size < PLAIN_FROM) return withExponent(value);
  if (value === INT64_LIMIT) return INT64_MAX;
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

/** The shortest digits that give the number back, and an exponent of at least two digits. */
function withExponent(value: number): string {
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, '0')}`;
}
