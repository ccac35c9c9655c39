/**
 * One transaction on one PostgreSQL connection, READ COMMITTED: a statement sees what was committed before it began, and an UPDATE waits for
 * another transaction's change to its row and goes on from there.
 *
 * Round trips: statements are pipelined, so those that are issued together (the parts of an `insertMany`, a `Promise.all`) cost one, and one write.
 * BEGIN travels with the first statement if that one reads. Before a first statement that writes, BEGIN is awaited: if
 * it failed alone (an administrator cancelled just then), the statement would commit by itself.
 */
import type { Writable } from 'node:stream';
import type { PoolClient, QueryConfig, QueryResult } from 'pg';
import {
  breaksConnection,
  checkValues,
  expandIn,
  isReading,
  postgresCommitError,
  postgresError,
  postgresStatement,
} from '../dialect.ts';
import { StorageError, type InsertMany, type SqlRow, type SqlValue, type Transaction } from '../database.ts';
import { insertStatements } from './insert-texts.ts';

/** A client's own limit for an answer, in ms: for the case that the server's machine is gone without a word. */
export const ANSWER_TIMEOUT_MS = 45_000;
const LONG_ANSWER_TIMEOUT_MS = 24 * 60 * 60 * 1_000;
const NOW = 'SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT) AS now';
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
  writeTogether(client);
  try {
    return await client.query(config);
  } catch (cause) {
    throw postgresError(cause, sql);
  }
}

/** Connections whose statements are being collected. */
const collecting = new WeakSet<Writable>();

/** Has the statements that are issued together leave in one write: a system call for each costs more than what they ask for. */
function writeTogether(client: PoolClient): void {
  const { stream } = (client as PoolClient & { readonly connection: { readonly stream: Writable } }).connection;
  if (collecting.has(stream)) return;
  collecting.add(stream);
  stream.cork();
  void Promise.resolve().then(() => {
    collecting.delete(stream);
    stream.uncork();
  });
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
  #begin: Promise<void> | undefined;
  #begun = false;
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
    if (this.#failure) throw this.#failure;
    if (!this.#begin) return;
    await this.#begin;
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
    if (this.#isLost() || (this.#failure && breaksConnection(this.#failure))) return false;
    try {
      if (this.#begin) {
        await this.#begin;
        await this.#client.query('ROLLBACK');
      }
      return true;
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
    if (this.#begun) return send(this.#client, sql, params, this.#timeoutMs);
    const first = this.#begin === undefined;
    const begin = (this.#begin ??= this.#sendBegin());
    if (!first || !isReading(sql)) {
      await begin;
      return send(this.#client, sql, params, this.#timeoutMs);
    }
    const [begun, result] = await Promise.allSettled([begin, send(this.#client, sql, params, this.#timeoutMs)]);
    if (begun.status === 'rejected') throw begun.reason;
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  }

  async #sendBegin(): Promise<void> {
    try {
      await this.#client.query('BEGIN');
      this.#begun = true;
    } catch (cause) {
      throw postgresError(cause, 'BEGIN');
    }
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
