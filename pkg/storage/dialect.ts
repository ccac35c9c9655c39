/**
 * Where SQLite and PostgreSQL differ. Everything else in the server writes one SQL text for both; this module turns it into what
 * each database takes, and turns what each database reports into a `StorageError`.
 *
 * What the one text keeps to:
 * - Types TEXT, BIGINT, INTEGER, BLOB, written in capitals. On PostgreSQL BLOB becomes BYTEA, and TEXT columns get COLLATE "C": both
 *   databases then sort and compare text by its UTF-8 bytes.
 * - `WITHOUT ROWID` may follow CREATE TABLE (...); PostgreSQL does not see it.
 * - Nulls sort first on SQLite and last on PostgreSQL: write NULLS FIRST or NULLS LAST where a null can be.
 * - LIKE ignores the case of ASCII letters on SQLite only: compare ranges, or lower-cased columns.
 * - What SQL computes stays within the safe integers: beyond them PostgreSQL's result is refused, SQLite's is rounded.
 * - A parameter that stands alone (`SELECT ? AS x`) has no type on PostgreSQL: write CAST(? AS BIGINT).
 */
import { createHash } from 'node:crypto';
import { StorageError, type SqlValue, type StorageErrorKind } from './database.ts';

/** What one statement on PostgreSQL is sent as. No name: it is not kept prepared. */
export interface PostgresStatement {
  readonly text: string;
  readonly name: string | undefined;
  /** Nobody need ask which columns they have where there are none. */
  readonly mayHaveRows: boolean;
}

/** The most values of one `IN (...)`: well below SQLite's 32,766 parameters, also after rounding up. */
const IN_VALUES_MAX = 8_192;
const TEXTS_MAX = 2_000;
/** Quoted text, quoted names and comments; then placeholders. What stands in the first group is left as it is. */
const TOKEN = /('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/)|\?\?|\?|\b[A-Z]+\b/g;
const KEPT_STATEMENT = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|BEGIN)\b/i;
const ROWLESS_STATEMENT = /^\s*(?:INSERT|UPDATE|DELETE|BEGIN)\b(?![\s\S]*\bRETURNING\b)/i;
const READING_STATEMENT = /^\s*(?:SELECT|VALUES)\b/i;
const WRITING_WORD = /\b(?:INSERT|UPDATE|DELETE)\b/i;
const TABLE_STATEMENT = /^\s*(?:CREATE\s+TABLE|ALTER\s+TABLE)\b/i;
const WHOLE_RESULT = /\b(?:ORDER\s+BY|GROUP\s+BY|LIMIT|DISTINCT|COUNT|SUM|MIN|MAX)\b/i;

const postgresStatements = new Map<string, PostgresStatement>();

/**
 * The statement for PostgreSQL: `?` outside quotes and comments becomes $1, $2, …; types are translated. Its name is a hash of its text, so that
 * every connection prepares it once. The first 2,000 texts are kept; what comes after them (texts should be constants) goes unnamed.
 */
export function postgresStatement(sql: string): PostgresStatement {
  const known = postgresStatements.get(sql);
  if (known) return known;
  const text = postgresText(sql);
  if (postgresStatements.size >= TEXTS_MAX || !KEPT_STATEMENT.test(sql)) return { text, name: undefined, mayHaveRows: true };
  const statement = { text, mayHaveRows: !ROWLESS_STATEMENT.test(sql), name: `m${createHash('sha256').update(text).digest('base64url').slice(0, 16)}` };
  postgresStatements.set(sql, statement);
  return statement;
}

function postgresText(sql: string): string {
  let places = 0;
  const table = TABLE_STATEMENT.test(sql);
  const text = sql.replace(TOKEN, (token: string, quoted: string | undefined) => {
    if (quoted !== undefined) return quoted;
    if (token === '?') return `$${++places}`;
    if (token === 'BLOB') return 'BYTEA';
    return table && token === 'TEXT' ? 'TEXT COLLATE "C"' : token;
  });
  return table ? text.replace(/\)\s*WITHOUT\s+ROWID\s*;?\s*$/, ')') : text;
}

/** Whether the statement reads only, so that it can stand outside a transaction. */
export function isReading(sql: string): boolean {
  return READING_STATEMENT.test(sql) || (/^\s*WITH\b/i.test(sql) && !WRITING_WORD.test(sql));
}

/** One statement of an expanded `IN (??)`. */
export interface InStatement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/**
 * The statements that `queryIn` runs: none for no values; one as a rule, its `??` widened to the next power of two by repeating the last value. More than
 * 8,192 different values take several statements, which is refused when the text sorts, groups or limits: that would hold within each part only.
 */
export function expandIn(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): InStatement[] {
  if (values.length <= IN_VALUES_MAX) return values.length === 0 ? [] : [inStatement(sql, params, values)];
  if (WHOLE_RESULT.test(sql)) {
    throw new StorageError('bug', `queryIn over ${values.length} values cannot sort, group or limit: ${excerpt(sql)}`);
  }
  const different = differentValues(values);
  const parts: InStatement[] = [];
  for (let from = 0; from < different.length; from += IN_VALUES_MAX) {
    parts.push(inStatement(sql, params, different.slice(from, from + IN_VALUES_MAX)));
  }
  return parts;
}

function inStatement(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): InStatement {
  const width = 2 ** Math.ceil(Math.log2(values.length));
  const last = values[values.length - 1] as SqlValue;
  return { sql: inText(sql, width), params: [...params, ...values, ...Array<SqlValue>(width - values.length).fill(last)] };
}

const inTexts = new Map<string, string[]>();

/** The text with `width` places, width a power of two. */
function inText(sql: string, width: number): string {
  let texts = inTexts.get(sql);
  if (!texts) {
    if (inTexts.size >= TEXTS_MAX) inTexts.clear();
    texts = [];
    inTexts.set(sql, texts);
  }
  const index = Math.log2(width);
  return (texts[index] ??= widen(sql, width));
}

function widen(sql: string, width: number): string {
  let found = 0;
  let placeAfter = false;
  const text = sql.replace(TOKEN, (token: string, quoted: string | undefined) => {
    if (token === '?' && found > 0) placeAfter = true;
    if (quoted !== undefined || token !== '??') return token;
    found += 1;
    return places(width);
  });
  if (found !== 1 || placeAfter) throw new StorageError('bug', `queryIn needs one ?? as its last place: ${excerpt(sql)}`);
  return text;
}

/** `?, ?, …`, `count` times. */
export function places(count: number): string {
  return Array<string>(count).fill('?').join(', ');
}

/** Each of the values, which are of one column, once. */
export function differentValues(values: readonly SqlValue[]): SqlValue[] {
  return [...new Map(values.map((value) => [valueKey(value), value])).values()];
}

export type ValueKey = string | number | null;

/** Identical for equal values of one column. */
export function valueKey(value: SqlValue): ValueKey {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1') : value;
}

/**
 * Whether both databases can store `text` as it is: no U+0000 (PostgreSQL has none in text) and no half of a surrogate pair (it has
 * no UTF-8 form). What comes from outside is to be tried with this before it reaches a parameter.
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Refuses what the two databases would not store alike, with kind `bug`. */
export function checkValues(sql: string, values: readonly SqlValue[]): void {
  for (let index = 0; index < values.length; index += 1) {
    const wrong = fault(values[index]);
    if (wrong !== undefined) throw new StorageError('bug', `parameter ${index + 1} ${wrong}: ${excerpt(sql)}`);
  }
}

function fault(value: unknown): string | undefined {
  if (typeof value === 'string') return isStorableText(value) ? undefined : 'is text with U+0000 or half a surrogate pair';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? undefined : `is ${value}, not a safe integer`;
  if (value === null || value instanceof Uint8Array) return undefined;
  return `is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
}

/** The `StorageError` of what better-sqlite3 threw; `committing`: it was thrown by COMMIT. */
export function sqliteError(cause: unknown, sql: string, committing = false): StorageError {
  if (cause instanceof StorageError) return cause;
  const { code = '', message } = cause as Error & { code?: string };
  const kind = sqliteKind(code);
  // A commit whose fsync failed is undone now, but may come back when the file is read again after a crash.
  const known = committing && code.startsWith('SQLITE_IOERR') && kind !== 'full' ? 'unknown-commit' : kind;
  return new StorageError(known, `SQLite: ${message} (${code || 'no code'}): ${excerpt(sql)}`, { cause });
}

const SQLITE_UNAVAILABLE = /^SQLITE_(?:IOERR|CANTOPEN|NOMEM|PROTOCOL|CORRUPT|NOTADB|READONLY|PERM|AUTH)/;

function sqliteKind(code: string): StorageErrorKind {
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE') return 'full';
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'conflict';
  return SQLITE_UNAVAILABLE.test(code) ? 'unavailable' : 'bug';
}

/** The `StorageError` of what `pg` rejected with. Errors without a SQLSTATE are those of the connection. */
export function postgresError(cause: unknown, sql: string): StorageError {
  if (cause instanceof StorageError) return cause;
  const error = cause as Error & { code?: string; severity?: string };
  const state = sqlState(error);
  const kind = state === undefined ? 'unavailable' : postgresKind(state, error.message);
  return new StorageError(kind, `PostgreSQL: ${error.message || error.code} (${error.code ?? 'no code'}): ${excerpt(sql)}`, { cause });
}

/** The `StorageError` of a failed COMMIT: unless the server itself said why it refused, nobody knows whether it was done. */
export function postgresCommitError(cause: unknown): StorageError {
  const state = sqlState(cause as Error);
  if (state !== undefined && !/^(?:08|57P|58|XX)/.test(state)) return postgresError(cause, 'COMMIT');
  return new StorageError('unknown-commit', `PostgreSQL: the connection was lost during COMMIT (${(cause as Error).message})`, { cause });
}

/** The five characters with which PostgreSQL names an error; undefined when it is not PostgreSQL's (Node's codes look alike). */
function sqlState(error: Error & { code?: string; severity?: string }): string | undefined {
  return error.severity === undefined ? undefined : error.code;
}

/** Classes: 08 connection (but 08P01 is a wrong number of parameters), 28 authorisation, 3D no such database, 53 resources, 57 operator, 58 system, XX internal. */
const POSTGRES_UNAVAILABLE = /^(?:08(?!P01)|28|3D|53|57|58|XX|25006|25P03)/;
/** Serialisation failure, deadlock, lock time-out; then statements that were prepared before a migration changed their tables. */
const POSTGRES_CONFLICT = new Set(['40001', '40P01', '55P03', '26000']);

function postgresKind(state: string, message: string): StorageErrorKind {
  if (state === '53100' || /no space left on device/i.test(message)) return 'full';
  if (POSTGRES_CONFLICT.has(state) || isStalePlan(state, message)) return 'conflict';
  return POSTGRES_UNAVAILABLE.test(state) ? 'unavailable' : 'bug';
}

function isStalePlan(state: string, message: string): boolean {
  return state === '0A000' && message.includes('cached plan');
}

/** Whether a connection that gave this error must not be used again: it is gone, or its prepared statements are stale. */
export function breaksConnection(error: unknown): boolean {
  const cause = (error instanceof StorageError ? error.cause : error) as (Error & { code?: string; severity?: string }) | undefined;
  if (!(cause instanceof Error)) return false;
  const state = sqlState(cause);
  return state === undefined || cause.severity !== 'ERROR' || state === '26000' || isStalePlan(state, cause.message);
}

function excerpt(sql: string): string {
  const line = sql.replace(/\s+/g, ' ').trim();
  return line.length <= 120 ? line : `${line.slice(0, 120)}…`;
}
