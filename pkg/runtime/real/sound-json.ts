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
    const numbers = escapedNames(text, parse);
    if (numbers.size === 0) return parse(text);
    const mark = freeMark(text);
    const plain = text.replace(STRING, (token: string, colon: string | undefined) => {
      const number = colon === undefined ? undefined : numbers.get(nameOf(token, parse));
      return number === undefined ? token : `"${mark}${number}"${colon}`;
    });
    return withNames(parse(plain), { mark, names: [...numbers.keys()] });
  };
}

/** The names that a key with an escape has anywhere, numbered. They are replaced however they are written: only so does the last of equal keys in an object count. */
function escapedNames(text: string, parse: Parse): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const [token, colon] of text.matchAll(STRING)) {
    if (colon === undefined || !token.includes('\\')) continue;
    const name = nameOf(token, parse);
    if (!numbers.has(name)) numbers.set(name, numbers.size);
  }
  return numbers;
}

/** `token`: a key as it is written, with its colon. */
function nameOf(token: string, parse: Parse): string {
  const end = token.lastIndexOf('"');
  return token.includes('\\') ? (parse(token.slice(0, end + 1)) as string) : token.slice(1, end);
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

/** The value with all names put back, each in its place. */
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
