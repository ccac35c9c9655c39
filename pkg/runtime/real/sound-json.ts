/**
 * Mends a fault of V8 (seen with Node 24.21, not with 20): once `JSON.parse` has read an object with a backslash in a key, a later key that is written with an escape can come out as that one, `{"\n":0}` as `{"\\":0}`.
 * An event would then have another hash here than at its sender. The fault is in what is remembered of the objects before, so the only cure is never to let it see such a key: a text in which one may stand is parsed
 * with other names in their places, which are put back afterwards.
 */
import { randomBytes } from 'node:crypto';

type Parse = typeof JSON.parse;

/** The last escape in a key, its end and the colon. Finds them all, and a few values that look so. */
const ESCAPED_KEY = /\\.[^"\\]*"\s*:/s;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/gs;

/** Replaces `JSON.parse` where it has the fault: for libraries, too. Does nothing elsewhere, and the second time. */
export function installSoundJson(): void {
  if (isFaulty(JSON.parse)) JSON.parse = soundParse(JSON.parse);
}

/** `parse` without the fault. */
export function soundParse(parse: Parse): Parse {
  return (text, reviver) => {
    if (typeof text !== 'string' || !text.includes('\\') || reviver !== undefined || !ESCAPED_KEY.test(text)) return parse(text, reviver);
    const mark = freeMark(text);
    const names: string[] = [];
    const plain = text.replace(STRING, (token: string, colon: string | undefined) => {
      if (colon === undefined || !token.includes('\\')) return token;
      names.push(parse(token.slice(0, token.lastIndexOf('"') + 1)) as string);
      return `"${mark}${names.length - 1}"${colon}`;
    });
    return names.length === 0 ? parse(text) : withNames(parse(plain), { mark, names });
  };
}

/** Whether `parse` has the fault. */
export function isFaulty(parse: Parse): boolean {
  const own = randomBytes(6).toString('hex');
  parse(`{"${own}":0,"\\\\":0}`);
  return Object.keys(parse(`{"${own}":0,"\\n":0}`) as object)[1] !== '\n';
}

function freeMark(text: string): string {
  let mark = '\u{f8ff}';
  while (text.includes(mark)) mark += '\u{f8ff}';
  return mark;
}

interface Names {
  readonly mark: string;
  readonly names: readonly string[];
}

/** The value with all names put back, each in its place: of equal ones the last counts. */
function withNames(value: unknown, wanted: Names): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => withNames(one, wanted));
  const named = {};
  for (const [key, one] of Object.entries(value)) {
    const name = key.startsWith(wanted.mark) ? wanted.names[Number(key.slice(wanted.mark.length))]! : key;
    // Not by assignment: a key may be `__proto__`.
    Object.defineProperty(named, name, { value: withNames(one, wanted), writable: true, enumerable: true, configurable: true });
  }
  return named;
}
