/**
 * The transaction port: how a component reaches its own tables, on SQLite and on PostgreSQL alike.
 *
 * - A component has one `Database`: on SQLite a file of its own (WAL, synchronous=FULL, one writer), on PostgreSQL a schema of
 *   its own (the pool's search_path). SQL never names a schema.
 * - There is one SQL text for both. Parameters are `?`, in order. Column types are those of `dialect.ts`: TEXT, BIGINT
 *   (safe integers, handed out as `number`), BLOB (handed out as `Uint8Array`/`Buffer`; BYTEA on PostgreSQL), INTEGER 0/1 for booleans.
 * - `transaction` is all or nothing and durable when its promise resolves. If it rejects with `StorageError` of kind
 *   `unknown-commit`, it may have been committed: the caller must read its state again before it goes on.
 * - A transaction is never retried here: whoever calls decides.
 */

/** What a parameter can be. `undefined` is refused, so that a misspelt field never becomes NULL. */
export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

/** Many rows into one table: prepared and multi-row on PostgreSQL, one prepared statement in a loop on SQLite. */
export interface InsertMany {
  readonly into: string;
  readonly columns: readonly string[];
  /** Each row has one value per column, in the same order. */
  readonly rows: readonly (readonly SqlValue[])[];
  /** What follows the VALUES, for example `ON CONFLICT (room_id) DO NOTHING`; one text for both databases. */
  readonly onConflict?: string;
}

export interface Reader {
  /** Rows of one statement. `sql` is a constant text: it is prepared once and cached. */
  query<Row extends SqlRow>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
  /**
   * Rows whose `column` is one of `values`: write the place as `IN (??)`. One text per power-of-two length, so that the
   * cache of prepared statements stays small. `params` are those of the other places, in order; `??` must be the last place.
   */
  queryIn<Row extends SqlRow>(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): Promise<Row[]>;
}

export interface Transaction extends Reader {
  /** Runs one writing statement; says how many rows it changed. */
  run(sql: string, params?: readonly SqlValue[]): Promise<{ changes: number }>;
  /** Says how many rows were inserted or, by `ON CONFLICT … DO UPDATE`, changed: rows that its WHERE left alone do not count. */
  insertMany(insert: InsertMany): Promise<{ changes: number }>;
  /** The current time by the database's clock in ms (PostgreSQL), or `fallbackNowMs` where the database has none of its own (SQLite). */
  nowMs(fallbackNowMs: number): Promise<number>;
}

export interface Database extends Reader {
  readonly dialect: 'sqlite' | 'postgres';
  /** Reads outside a transaction see what is committed, never a transaction that is under way. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Lets new rows of `table` take the room of deleted ones, for tables where many rows come and go: PostgreSQL does so by itself a minute later at best, and the table has grown by then. Nothing
   * waits for it; where another process is at it, or the database (SQLite) needs no telling, nothing is done.
   */
  reuseSpace(table: string): Promise<void>;
  /** Resolves when the database answers; rejects with `StorageError` when it does not. */
  ping(): Promise<void>;
  /** Waits for the transactions under way, then closes. */
  close(): Promise<void>;
}

/**
 * - `unavailable`: gone or restarting; nothing was written; try again later.
 * - `full`: no room left to write (SQLITE_FULL, ENOSPC, 53100); nothing was written.
 * - `conflict`: serialisation failure, deadlock, lock time-out; nothing was written; try again now.
 * - `unknown-commit`: the connection was lost during COMMIT.
 * - `bug`: a constraint or a statement is wrong; trying again will not help.
 */
export type StorageErrorKind = 'unavailable' | 'full' | 'conflict' | 'unknown-commit' | 'bug';

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly kind: StorageErrorKind;
  constructor(kind: StorageErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** One numbered forward-only step. Steps of one component are numbered 1, 2, 3, … and never change once released. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** Statements in the one SQL text, run in one transaction. */
  readonly statements: readonly string[];
  /** What has to be computed for rows that there are already, after the statements and in the same transaction. Like these, it goes by the tables as this step leaves them. */
  readonly fill?: (tx: Transaction) => Promise<void>;
}
