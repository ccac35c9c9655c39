/** Takes values out of a large body that only pass through: they go on as the bytes that they came as. Pure. */
import { parseJson, parseJsonText } from './json.ts';
import { closingQuote } from './json-string.ts';

const QUOTE = 0x22;
/** `{` and `[`, `}` and `]` differ by this bit only. */
const CASE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** Of what tells values apart that are as long as each other. */
const SAMPLE_BYTES = 24;

export interface CutJson {
  /** The value without them: in the place of each stands a list of one number, its place in `cut`. No other list stands there. */
  readonly rest: unknown;
  /** JSON of objects and lists, as views of the body. Equal ones that come one after the other are the same view. */
  readonly cut: readonly Uint8Array[];
}

/**
 * Cuts out the objects and lists in `bytes` (UTF-8, as `parseBody` has checked) that stand in `depthKept` others. All is checked to be JSON: throws what `parseJson` throws. What is cut out stays as it was
 * written: spaces, the form of numbers, keys that come twice.
 */
export function cutJson(bytes: Uint8Array, depthKept: number): CutJson {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ranges = rangesAt(body, depthKept);
  const checked = new Map<string, Buffer>();
  let rest = '';
  let kept = 0;
  const cut = ranges.map(({ from, to }, place) => {
    rest += `${body.toString('utf8', kept, from)}[${place}]`;
    kept = to;
    return checkedOnce(checked, body.subarray(from, to));
  });
  return { rest: parseJsonText(rest + body.toString('utf8', kept)), cut };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Exact for valid JSON. What has no end is left where it is, so that parsing the rest fails. */
function rangesAt(body: Buffer, depthKept: number): Range[] {
  const ranges: Range[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      at = closingQuote(body, at + 1);
      if (at < 0) break;
    } else if ((byte | CASE_BIT) === OPEN) {
      if (depth === depthKept) from = at;
      depth += 1;
    } else if ((byte | CASE_BIT) === CLOSE) {
      depth -= 1;
      if (depth === depthKept) ranges.push({ from, to: at + 1 });
    }
  }
  return ranges;
}

/** `value`, or the equal one that has come before: the newest of those that look alike is remembered, so a body costs no more than its bytes. */
function checkedOnce(checked: Map<string, Buffer>, value: Buffer): Buffer {
  const middle = value.length >> 1;
  const look = `${value.length} ${value.toString('latin1', middle, middle + SAMPLE_BYTES)}`;
  const known = checked.get(look);
  if (known?.equals(value) === true) return known;
  parseJson(value);
  checked.set(look, value);
  return value;
}
