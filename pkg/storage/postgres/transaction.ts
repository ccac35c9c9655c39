/**
 * One transaction on one PostgreSQL connection, READ COMMITTED: a statement sees what was committed before it began, and an UPDATE waits for
 * another transaction's change to its row and goes on from there.
 *
 * Round trips: what is issued before the process next waits for anything (the parts of an `insertMany`, a `Promise.all`) is sent as one (`batch.ts`), and BEGIN with the first of it.
 */
import type { PoolClient, QueryConfig, QueryResult } from 'pg';
import {
  breaksConnection,
  checkValues,
  expandIn,
  postgresCommitError,
  postgresError,
  postgresStatement,
} from '../dialect.ts';
import { StorageError, type InsertMany, type SqlRow, type SqlValue, type Transaction } from '../database.ts';
import { sendBatch, type BatchFailure, type BatchStatement } from './batch.ts';
import { insertStatements } from './insert-texts.ts';

/** A client's own limit for an answer, in ms: for the case that the server's machine is gone without a word. */
export const ANSWER_TIMEOUT_MS = 45_000;
const LONG_ANSWER_TIMEOUT_MS = 24 * 60 * 60 * 1_000;
const NOW = 'SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT) AS now';
const BEGIN: BatchStatement = { sql: 'BEGIN', params: [] };
const COUNTING = new Set(['INSERT', 'UPDATE', 'DELETE']);

/** What `pg` takes and its types leave out. */
interface PatientQuery extends QueryConfig<SqlValue[]> {
  readonly query_timeout: number;
  readonly queryMode: 'extended';
}

/** Sends one statement and waits for its answer. Throws `StorageError`. */
export async function send(client: PoolClient, sql: string, params: readonly SqlValue[], timeoutMs = ANSWER_TIMEOUT_MS): Promise<QueryResult> {
  checkValues(sql, params);
  const { text, name } = postgresStatement(sql);
  // The extended protocol refuses several statements in one text, as SQLite does.
  const config: PatientQuery = { text, name, values: params as SqlValue[], query_timeout: timeoutMs, queryMode: 'extended' };
  try {
    return await client.query(config);
  } catch (cause) {
    throw postgresError(cause, sql);
  }
}

/** A statement of a transaction, until its answer is there. */
interface Issued extends BatchStatement {
  readonly resolve: (result: QueryResult) => void;
  readonly reject: (error: StorageError) => void;
}

/** Sends the statements of an `IN (??)`. */
export async function sendIn<Row extends SqlRow>(
  sendOne: (sql: string, params: readonly SqlValue[]) => Promise<QueryResult>,
  sql: string,
  given: { readonly params: readonly SqlValue[]; readonly values: readonly SqlValue[] },
): Promise<Row[]> {
  const results = await Promise.all(expandIn(sql, given.params, given.values).map((part) => sendOne(part.sql, part.params)));
  return results.flatMap((result) => result.rows as Row[]);
}

export class PostgresTransaction implements Transaction {
  readonly #client: PoolClient;
  /** Whether the connection was lost. */
  readonly #isLost: () => boolean;
  readonly #inserted = new Map<string, number>();
  #issued: Issued[] = [];
  #state: 'new' | 'beginning' | 'begun' = 'new';
  #beginning: Promise<void> | undefined;
  #isUnclear = false;
  #over = false;
  #failure: StorageError | undefined;
  #timeoutMs = ANSWER_TIMEOUT_MS;

  constructor(client: PoolClient, isLost: () => boolean) {
    this.#client = client;
    this.#isLost = isLost;
  }

  /** How many rows came into which tables by `insertMany`. */
  get inserted(): ReadonlyMap<string, number> {
    return this.#inserted;
  }

  async query<Row extends SqlRow>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    return (await this.#send(sql, params)).rows as Row[];
  }

  async queryIn<Row extends SqlRow>(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): Promise<Row[]> {
    if (values.length === 0) return [];
    return this.#remember(sendIn<Row>((text, all) => this.#send(text, all), sql, { params, values }));
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<{ changes: number }> {
    return { changes: changesOf(await this.#send(sql, params)) };
  }

  async insertMany(insert: InsertMany): Promise<{ changes: number }> {
    if (insert.rows.length === 0) return { changes: 0 };
    return this.#remember(this.#insertMany(insert));
  }

  async nowMs(): Promise<number> {
    const [row] = await this.query<{ now: number }>(NOW);
    return (row as { now: number }).now;
  }

  /** Lifts the time limits for the rest of this transaction: for migrations, which may rewrite large tables and wait for each other. */
  async liftTimeouts(): Promise<void> {
    this.#timeoutMs = LONG_ANSWER_TIMEOUT_MS;
    await this.query("SELECT set_config('statement_timeout', '0', TRUE), set_config('lock_timeout', '0', TRUE)");
  }

  /** Throws `StorageError`: the first statement's that failed, or that of COMMIT. */
  async commit(): Promise<void> {
    this.#over = true;
    // Those that nobody has awaited.
    while (this.#failure === undefined && (this.#issued.length > 0 || this.#state === 'beginning')) await this.#flush();
    if (this.#failure) throw this.#failure;
    if (this.#state === 'new') return;
    if (this.#isLost()) throw new StorageError('unavailable', 'PostgreSQL: the connection was lost before COMMIT');
    let result: QueryResult;
    try {
      result = await this.#client.query('COMMIT');
    } catch (cause) {
      this.#failure = postgresCommitError(cause);
      throw this.#failure;
    }
    // A statement that nobody awaited has failed: the server answers COMMIT with ROLLBACK.
    if (result.command !== 'COMMIT') throw this.#failure ?? new StorageError('bug', 'the transaction was rolled back: one of its statements failed');
  }

  /** After a failure. Says whether the connection may be used again. */
  async rollback(): Promise<boolean> {
    this.#over = true;
    // What has not left yet must not follow ROLLBACK.
    this.#refuse(this.#issued.splice(0), this.#failure ?? new StorageError('bug', 'the transaction has ended before this statement'));
    if (this.#isLost() || (this.#failure && breaksConnection(this.#failure))) return false;
    try {
      if (this.#state !== 'new') await this.#client.query('ROLLBACK');
      return !this.#isUnclear;
    } catch {
      return false;
    }
  }

  async #insertMany(insert: InsertMany): Promise<{ changes: number }> {
    const answers = await Promise.allSettled(insertStatements(insert).map((part) => this.#send(part.sql, part.params)));
    let changes = 0;
    for (const answer of answers) {
      if (answer.status === 'rejected') throw answer.reason;
      changes += changesOf(answer.value);
    }
    this.#inserted.set(insert.into, (this.#inserted.get(insert.into) ?? 0) + changes);
    return { changes };
  }

  #send(sql: string, params: readonly SqlValue[]): Promise<QueryResult> {
    return this.#remember(this.#sendInOrder(sql, params));
  }

  async #sendInOrder(sql: string, params: readonly SqlValue[]): Promise<QueryResult> {
    if (this.#over) throw new StorageError('bug', 'the transaction has ended; a statement came after it');
    if (this.#failure) throw this.#failure;
    checkValues(sql, params);
    return new Promise((resolve, reject) => {
      this.#issued.push({ sql, params, resolve, reject });
      // When all that goes on in this moment has issued what it can.
      if (this.#issued.length === 1) process.nextTick(() => void this.#flush());
    });
  }

  /** Sends what was issued; while the answer to BEGIN is out, it waits for that: without BEGIN it would commit by itself. Never rejects. */
  async #flush(): Promise<void> {
    if (this.#state === 'beginning') return this.#beginning;
    if (this.#issued.length === 0) return;
    const batch = this.#issued.splice(0);
    if (this.#state === 'begun') return this.#sendTogether(batch, batch);
    this.#state = 'beginning';
    this.#beginning = this.#sendTogether([BEGIN, ...batch], batch).then(() => {
      this.#state = 'begun';
      return this.#flush();
    });
    return this.#beginning;
  }

  /** `batch`: without BEGIN. */
  async #sendTogether(statements: readonly BatchStatement[], batch: readonly Issued[]): Promise<void> {
    if (this.#failure) {
      this.#refuse(batch, this.#failure);
      return;
    }
    try {
      const results = await sendBatch(this.#client, statements, this.#timeoutMs);
      for (const [index, { resolve }] of batch.entries()) resolve(results[index + statements.length - batch.length]!);
    } catch (failure) {
      const { cause, index, isUnclear } = failure as BatchFailure;
      this.#isUnclear ||= isUnclear;
      this.#failure ??= postgresError(cause, statements[index]!.sql);
      this.#refuse(batch, this.#failure);
    }
  }

  #refuse(batch: readonly Issued[], error: StorageError): void {
    for (const { reject } of batch) reject(error);
  }

  /** The first failure is the one that the transaction ends with; those after it only say that the transaction has failed. */
  async #remember<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      this.#failure ??= postgresError(error, '');
      throw this.#failure;
    }
  }
}

function changesOf(result: QueryResult): number {
  return COUNTING.has(result.command) ? (result.rowCount ?? 0) : 0;
}
