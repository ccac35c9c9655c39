/** One SQLite connection: prepared statements in a bounded cache, errors as `StorageError`, values as the contract has them. */
import Sqlite from 'better-sqlite3';
import { checkValues, sqliteError } from '../dialect.ts';
import { StorageError, type SqlRow, type SqlValue } from '../database.ts';

const STATEMENTS_MAX = 512;

export interface Connection {
  all<Row extends SqlRow>(sql: string, params: readonly SqlValue[]): Row[];
  run(sql: string, params: readonly SqlValue[]): number;
  /** Runs one statement once per row; the sum of the changes. */
  runEach(sql: string, rows: readonly (readonly SqlValue[])[]): number;
  /** BEGIN, COMMIT, ROLLBACK, PRAGMA: no parameters, no result. */
  control(sql: string): void;
  inTransaction(): boolean;
  close(): void;
}

/** Opens `file` (or ':memory:'). Throws `StorageError`. */
export function connect(file: string, options: { readonly busyTimeoutMs: number; readonly pragmas: readonly string[] }): Connection {
  let sqlite: Sqlite.Database;
  try {
    sqlite = new Sqlite(file, { timeout: options.busyTimeoutMs });
  } catch (cause) {
    throw (cause as { code?: string }).code ? sqliteError(cause, `open ${file}`) : unavailable(file, cause);
  }
  try {
    for (const pragma of options.pragmas) sqlite.pragma(pragma);
  } catch (cause) {
    sqlite.close();
    throw sqliteError(cause, `open ${file}`);
  }
  return connectionOver(sqlite);
}

function unavailable(file: string, cause: unknown): StorageError {
  return new StorageError('unavailable', `cannot open the database ${file}: ${(cause as Error).message}`, { cause });
}

function connectionOver(sqlite: Sqlite.Database): Connection {
  type Statements = Map<string, Sqlite.Statement<unknown[], SqlRow>>;
  let lately: Statements = new Map();
  /** Those that were used before `lately` was full the last time; what has not been used again by the next time is forgotten. */
  let before: Statements = new Map();

  function prepare(sql: string): Sqlite.Statement<unknown[], SqlRow> {
    const known = lately.get(sql);
    if (known !== undefined) return known;
    const statement = before.get(sql) ?? sqlite.prepare<unknown[], SqlRow>(sql);
    if (lately.size >= STATEMENTS_MAX / 2) {
      before = lately;
      lately = new Map();
    }
    lately.set(sql, statement);
    return statement;
  }

  function guarded<T>(sql: string, call: () => T): T {
    try {
      return call();
    } catch (cause) {
      throw sqliteError(cause, sql, sql === 'COMMIT');
    }
  }

  return {
    all: <Row extends SqlRow>(sql: string, params: readonly SqlValue[]) =>
      guarded(sql, () => prepare(sql).all(bindings(sql, params)) as Row[]),
    run: (sql, params) => guarded(sql, () => prepare(sql).run(bindings(sql, params)).changes),
    runEach: (sql, rows) =>
      guarded(sql, () => {
        const statement = prepare(sql);
        let changes = 0;
        for (const row of rows) changes += statement.run(bindings(sql, row)).changes;
        return changes;
      }),
    control: (sql) => guarded(sql, () => void prepare(sql).run()),
    inTransaction: () => sqlite.inTransaction,
    close: () => void sqlite.close(),
  };
}

/** better-sqlite3 binds every number as a REAL, which a TEXT column would store as '5.0'; a bigint is bound as an INTEGER. */
function bindings(sql: string, params: readonly SqlValue[]): unknown[] {
  checkValues(sql, params);
  return params.some((value) => typeof value === 'number') ? params.map((value) => (typeof value === 'number' ? BigInt(value) : value)) : params as unknown[];
}
