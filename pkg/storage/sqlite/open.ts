/**
 * SQLite behind the transaction port: WAL, synchronous=FULL (a commit is on disk when its promise resolves), one file per component.
 *
 * Transactions run one at a time on the writing connection, also while their work awaits something else. Reads outside a transaction
 * see the last commit: while a transaction is under way, by a connection of their own. ':memory:' has one connection only, so there such a read waits until
 * the transactions before it have ended: awaiting one from inside a transaction's work would wait for ever.
 */
import { realpathSync } from 'node:fs';
import { expandIn, isReading } from '../dialect.ts';
import { StorageError, type Database, type InsertMany, type SqlRow, type SqlValue, type Transaction } from '../database.ts';
import { insertText } from '../insert-text.ts';
import { createSerialQueue, type SerialQueue } from '../serial-queue.ts';
import { createCheckpoints, type Checkpoints } from './checkpoints.ts';
import { connect, type Connection } from './connection.ts';
import { createPrivate, takeLock } from './lock-file.ts';

const BUSY_TIMEOUT_MS = 5_000;
/** A WAL that a burst made larger than this is cut back to it. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;
/** Of 4 KiB. A page that many transactions change is written back once: with SQLite's own 1000, a replay of 40,000 events takes 16% longer. */
const CHECKPOINT_PAGES = 4096;
/** At which the writing connection writes them back itself, and everybody waits: the thread that does (`checkpoints.ts`) is not there, or does not keep up. */
const CHECKPOINT_PAGES_MAX = 4 * CHECKPOINT_PAGES;
/** For each file, and never given back. What is not in it, the operating system has: 32 MB made a server with 10,000 users larger by 20 to 30 MB, and nothing faster that could be measured. */
const WRITER_CACHE_KIB = 8 * 1024;
const SHARED_PRAGMAS = ['foreign_keys = ON', 'temp_store = MEMORY'];
const WRITER_PRAGMAS = ['journal_mode = WAL', 'synchronous = FULL', `wal_autocheckpoint = ${CHECKPOINT_PAGES_MAX}`, `cache_size = -${WRITER_CACHE_KIB}`, `journal_size_limit = ${WAL_BYTES_KEPT}`, ...SHARED_PRAGMAS];
const READER_PRAGMAS = ['query_only = ON', ...SHARED_PRAGMAS];

/**
 * Opens (or creates, mode 0600) the database at `path`; ':memory:' lives as long as it is open. Rejects with `StorageError` `unavailable`
 * when the folder does not exist or another process has the file open.
 */
export async function openSqlite(options: { readonly path: string }): Promise<Database> {
  if (options.path === ':memory:') {
    const only = connect(':memory:', { busyTimeoutMs: 0, pragmas: SHARED_PRAGMAS });
    return new SqliteDatabase({ writer: only, reader: only, lock: undefined, file: undefined });
  }
  createPrivate(options.path);
  const file = realpathSync(options.path);
  const opened: Connection[] = [];
  try {
    const lock = takeLock(file);
    opened.push(lock);
    const writer = connect(file, { busyTimeoutMs: BUSY_TIMEOUT_MS, pragmas: WRITER_PRAGMAS });
    opened.push(writer);
    const reader = connect(file, { busyTimeoutMs: BUSY_TIMEOUT_MS, pragmas: READER_PRAGMAS });
    return new SqliteDatabase({ writer, reader, lock, file });
  } catch (error) {
    for (const connection of opened.reverse()) connection.close();
    throw error;
  }
}

interface Connections {
  readonly writer: Connection;
  /** The same as `writer` for ':memory:'. */
  readonly reader: Connection;
  readonly lock: Connection | undefined;
  /** undefined: there is none, and so no write-ahead log. */
  readonly file: string | undefined;
}

class SqliteDatabase implements Database {
  readonly dialect = 'sqlite';
  readonly #connections: Connections;
  readonly #queue: SerialQueue = createSerialQueue();
  readonly #checkpoints: Checkpoints | undefined;
  #closing: Promise<void> | undefined;

  constructor(connections: Connections) {
    this.#connections = connections;
    const { file, writer } = connections;
    if (file !== undefined) this.#checkpoints = createCheckpoints({ file, writer, queue: this.#queue, pages: CHECKPOINT_PAGES });
  }

  async query<Row extends SqlRow>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    return this.#read((reader) => reader.all<Row>(outsideText(sql), params));
  }

  async queryIn<Row extends SqlRow>(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): Promise<Row[]> {
    if (values.length === 0) return [];
    return this.#read((reader) => allIn<Row>(reader, outsideText(sql), { params, values }));
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    this.#refuseWhenClosing();
    return this.#queue.run(async () => {
      const value = await runTransaction(this.#connections.writer, work);
      this.#checkpoints?.committed();
      return value;
    });
  }

  /** Pages of deleted rows are used again at once. */
  async reuseSpace(): Promise<void> {}

  async ping(): Promise<void> {
    await this.query('SELECT COUNT(*) AS n FROM sqlite_schema');
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#checkpoints?.stop();
    await this.#queue.run(async () => {
      const { writer, reader, lock } = this.#connections;
      if (reader !== writer) reader.close();
      // The last connection to go moves the WAL into the file; only then may somebody else have it.
      writer.close();
      lock?.close();
    });
  }

  async #read<T>(read: (reader: Connection) => T): Promise<T> {
    this.#refuseWhenClosing();
    const { writer, reader } = this.#connections;
    if (reader === writer) return this.#queue.run(async () => read(reader));
    // Its cache holds what it has written; that of the other connection is thrown away after each commit.
    return read(writer.inTransaction() ? reader : writer);
  }

  #refuseWhenClosing(): void {
    if (this.#closing) throw new StorageError('unavailable', 'the database is closed');
  }
}

/** The text, if it may stand outside a transaction. */
function outsideText(sql: string): string {
  if (!isReading(sql)) throw new StorageError('bug', `only reading is possible outside a transaction: ${sql}`);
  return sql;
}

function allIn<Row extends SqlRow>(
  connection: Connection,
  sql: string,
  given: { readonly params: readonly SqlValue[]; readonly values: readonly SqlValue[] },
): Row[] {
  return expandIn(sql, given.params, given.values).flatMap((part) => connection.all<Row>(part.sql, part.params));
}

async function runTransaction<T>(writer: Connection, work: (tx: Transaction) => Promise<T>): Promise<T> {
  // An earlier ROLLBACK may have failed (a disk error); nothing of it may become part of this transaction.
  if (writer.inTransaction()) writer.control('ROLLBACK');
  writer.control('BEGIN IMMEDIATE');
  const tx = new SqliteTransaction(writer);
  try {
    const value = await work(tx);
    tx.end();
    writer.control('COMMIT');
    return value;
  } catch (error) {
    tx.over = true;
    rollBack(writer);
    throw error;
  }
}

/** Some errors (a full disk) have rolled back already; an error of ROLLBACK itself must not hide the one that led here. */
function rollBack(writer: Connection): void {
  try {
    if (writer.inTransaction()) writer.control('ROLLBACK');
  } catch {
    // The next transaction tries again before it begins.
  }
}

class SqliteTransaction implements Transaction {
  over = false;
  readonly #writer: Connection;
  #failure: unknown;

  constructor(writer: Connection) {
    this.#writer = writer;
  }

  async query<Row extends SqlRow>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    return this.#do(() => this.#writer.all<Row>(sql, params));
  }

  async queryIn<Row extends SqlRow>(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): Promise<Row[]> {
    return this.#do(() => allIn<Row>(this.#writer, sql, { params, values }));
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<{ changes: number }> {
    return this.#do(() => ({ changes: this.#writer.run(sql, params) }));
  }

  async insertMany(insert: InsertMany): Promise<{ changes: number }> {
    if (insert.rows.length === 0) return { changes: 0 };
    return this.#do(() => ({ changes: this.#writer.runEach(insertText(insert), insert.rows) }));
  }

  async nowMs(fallbackNowMs: number): Promise<number> {
    return fallbackNowMs;
  }

  /** Before COMMIT. Throws the error of a statement that failed, also when the work went on after it: PostgreSQL would not commit either. */
  end(): void {
    this.over = true;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #do<T>(call: () => T): T {
    if (this.over) throw new StorageError('bug', 'the transaction has ended; a statement came after it');
    // Some errors (a full disk) have rolled back already: what came now would commit by itself.
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return call();
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }
}
