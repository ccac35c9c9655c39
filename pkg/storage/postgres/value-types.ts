/** How PostgreSQL's results become the values of the contract, which are those that SQLite gives. */
import pg from 'pg';
import { StorageError } from '../database.ts';

const BOOL = 16;
const INT8 = 20;
/** What SUM(BIGINT) gives. */
const NUMERIC = 1700;

const parsers = new Map<number, (text: string) => unknown>([
  [BOOL, (text) => (text === 't' ? 1 : 0)],
  [INT8, safeInteger],
  [NUMERIC, safeNumber],
]);

/** For the `types` option of `pg`; BYTEA is a Buffer by default. */
export const valueTypes = {
  getTypeParser(oid: number, format?: string): (text: string) => unknown {
    return (format === 'binary' ? undefined : parsers.get(oid)) ?? pg.types.getTypeParser(oid, format as 'text');
  },
};

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new StorageError('bug', `the database gave ${text}, which is not a safe integer`);
  return value;
}

function safeNumber(text: string): number {
  return text.includes('.') ? Number(text) : safeInteger(text);
}
