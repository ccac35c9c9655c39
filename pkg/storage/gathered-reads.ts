/**
 * Lookups of single rows by many callers, made together: one query is under way, and who asks meanwhile goes into the next. A caller sees what was committed before it asked; a lookup alone is made at once.
 * A query of its own for each costs the server and its database more than what it finds; where cores are short, the next one waits until more have asked.
 */
import { watchCores } from '../runtime/core-watch.ts';
import type { Clock } from '../runtime/runtime.ts';
import type { SqlValue } from './database.ts';
import { differentValues, valueKey } from './dialect.ts';

const KEYS_MAX = 500;
/** Rests as long as the query took twice over, and no longer than this: a query that costs little is worth no waiting. */
const REST_MS_MAX = 25;

interface Asked<Row> {
  readonly key: SqlValue;
  readonly resolve: (row: Row | undefined) => void;
  readonly reject: (error: unknown) => void;
}

interface GatheredReads<Row> {
  /** Finds the rows of different keys (1 to 500). */
  readonly read: (keys: readonly SqlValue[]) => Promise<readonly Row[]>;
  /** The key of a row; at most one row a key. */
  readonly keyOf: (row: Row) => SqlValue;
  readonly clock: Pick<Clock, 'monotonic' | 'cores' | 'sleep'>;
}

/** Returns the lookup, which rejects as `read` does. */
export function gatheredReads<Row>({ read, keyOf, clock }: GatheredReads<Row>): (key: SqlValue) => Promise<Row | undefined> {
  const cores = watchCores(clock);
  const asked: Asked<Row>[] = [];
  let isReading = false;

  async function readAll(): Promise<void> {
    isReading = true;
    while (asked.length > 0) {
      const now = asked.splice(0, KEYS_MAX);
      const startedAt = clock.monotonic();
      try {
        const rows = await read(differentValues(now.map(({ key }) => key)));
        const found = new Map(rows.map((row) => [valueKey(keyOf(row)), row]));
        for (const { key, resolve } of now) resolve(found.get(valueKey(key)));
      } catch (error) {
        for (const { reject } of now) reject(error);
      }
      if (asked.length < KEYS_MAX) await cores.rest(Math.min(REST_MS_MAX, 2 * (clock.monotonic() - startedAt)));
    }
    isReading = false;
  }

  return (key) => new Promise((resolve, reject) => {
    asked.push({ key, resolve, reject });
    if (!isReading) void readAll();
  });
}
