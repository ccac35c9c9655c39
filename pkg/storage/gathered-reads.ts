/**
 * Lookups of single rows by many callers, made together: one query is under way, and who asks meanwhile goes into the next. A caller sees what was committed before it asked; a lookup alone is made at once.
 * A query of its own for each costs the server and its database more than what it finds.
 */
import type { SqlValue } from './database.ts';
import { differentValues, valueKey } from './dialect.ts';

const KEYS_MAX = 500;

interface Asked<Row> {
  readonly key: SqlValue;
  readonly resolve: (row: Row | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** `read` finds the rows of different keys (1 to 500), and `keyOf` the key of each: at most one row a key. Returns the lookup, which rejects as `read` does. */
export function gatheredReads<Row>(read: (keys: readonly SqlValue[]) => Promise<readonly Row[]>, keyOf: (row: Row) => SqlValue): (key: SqlValue) => Promise<Row | undefined> {
  const asked: Asked<Row>[] = [];
  let isReading = false;

  async function readAll(): Promise<void> {
    isReading = true;
    while (asked.length > 0) {
      const now = asked.splice(0, KEYS_MAX);
      try {
        const rows = await read(differentValues(now.map(({ key }) => key)));
        const found = new Map(rows.map((row) => [valueKey(keyOf(row)), row]));
        for (const { key, resolve } of now) resolve(found.get(valueKey(key)));
      } catch (error) {
        for (const { reject } of now) reject(error);
      }
    }
    isReading = false;
  }

  return (key) => new Promise((resolve, reject) => {
    asked.push({ key, resolve, reject });
    if (!isReading) void readAll();
  });
}
