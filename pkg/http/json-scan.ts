/** Looks at JSON while it arrives, so that what would cost too much to parse is refused before it is held. Pure but for its own state. */
import { closingQuote, endsWithinEscape } from './json-string.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
/** `{` and `[`, `}` and `]` differ by this bit only. */
const CASE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

export interface JsonScan {
  /** The next bytes; what is wrong with all so far, or undefined. Exact for valid JSON. */
  take(chunk: Uint8Array): 'nested too deep' | 'made of too many values' | undefined;
}

/** Any answer may have this many values. */
const VALUES_FREE = 10_000;
/** Beyond that, one value for so many bytes: events have one for twenty to thirty. A value can take fifty bytes of memory where it takes three on the wire. */
const BYTES_A_VALUE = 10;

/** `depthMax`: of objects and lists in each other. */
export function createJsonScan(depthMax: number): JsonScan {
  let [depth, values, bytes] = [0, 0, 0];
  let inString = false;
  let isEscaped = false;
  return {
    take(chunk) {
      if (chunk.length === 0) return undefined;
      const first = isEscaped ? 1 : 0;
      isEscaped = false;
      for (let at = first; at < chunk.length; at += 1) {
        const byte = chunk[at]!;
        if (inString || byte === QUOTE) {
          const from = inString ? at : at + 1;
          at = closingQuote(chunk, from);
          inString = at < 0;
          isEscaped = inString && endsWithinEscape(chunk, from);
          if (inString) break;
        } else if (byte === COMMA) values += 1;
        else if ((byte | CASE_BIT) === OPEN) {
          values += 1;
          depth += 1;
          if (depth > depthMax) return 'nested too deep';
        } else if ((byte | CASE_BIT) === CLOSE) depth -= 1;
      }
      bytes += chunk.length;
      return values > VALUES_FREE + bytes / BYTES_A_VALUE ? 'made of too many values' : undefined;
    },
  };
}
