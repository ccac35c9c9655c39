/**
 * PostgreSQL behind the transaction port: a pool of connections whose search_path is the component's schema.
 *
 * A commit is as durable as the server's settings make it: fsync and synchronous_commit are left as they are (on by default). Connections that
 * break are replaced by themselves, so the database works again once the server does; until then every call rejects with `unavailable`.
 */
import pg from 'pg';
import { breaksConnection, isReading, postgresError } from '../dialect.ts';
import { StorageError, type Database, type SqlRow, type SqlValue, type Transaction } from '../database.ts';
import { FillingTables } from './filling-tables.ts';
import { ANSWER_TIMEOUT_MS, PostgresTransaction, send, sendIn } from './transaction.ts';
import { valueTypes } from './value-types.ts';

export interface PostgresOptions {
  /** postgres://user:password@host:port/database?… */
  readonly url: string;
  /** Lower-case letters, digits and _; created when it is not there. */
  readonly schema: string;
  /** The most connections at a time; default 8. */
  readonly poolSize?: number;
}

const POOL_SIZE = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
/** Frees the rows that a stopped process holds, before its leases have run out: whoever takes its partitions over changes the same rows. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 3000;
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/** Connects and makes the schema if it is not there. Rejects with `StorageError` (`unavailable` when the server does not answer). */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  if (!SCHEMA_NAME.test(options.schema)) throw new StorageError('bug', `not a name for a schema: ${options.schema}`);
  const pool = new pg.Pool({
    connectionString: urlWithSearchPath(options),
    application_name: 'myelin',
    max: options.poolSize ?? POOL_SIZE,
    pipeline: true,
    types: valueTypes as pg.CustomTypesConfig,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  const database = new PostgresDatabase(pool);
  try {
    await database.createSchema(options.schema);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The URL's own `options` stay; `pg` would let them replace what is passed beside the URL. */
function urlWithSearchPath(options: PostgresOptions): string {
  let url: URL;
  try {
    url = new URL(options.url);
  } catch {
    throw new StorageError('bug', 'the URL of the PostgreSQL database cannot be read: it looks like postgres://user:password@host:5432/database');
  }
  const given = url.searchParams.get('options');
  url.searchParams.set('options', `${given === null ? '' : `${given} `}-c search_path=${options.schema}`);
  return url.href;
}

class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly #pool: pg.Pool;
  readonly #lost = new WeakSet<pg.ClientBase>();
  readonly #filling = new FillingTables();
  #underWay = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    // Without listeners a connection that breaks would end the process. Whoever uses it learns of it from its own call.
    pool.on('error', ignore);
    pool.on('connect', (client) => {
      client.on('error', () => void this.#lost.add(client));
      client.on('end', () => void this.#lost.add(client));
    });
  }

  async query<Row extends SqlRow>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    refuseWriting(sql);
    return this.#withClient(async (client) => (await send(client, sql, params)).rows as Row[]);
  }

  async queryIn<Row extends SqlRow>(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]): Promise<Row[]> {
    refuseWriting(sql);
    if (values.length === 0) return [];
    return this.#withClient((client) => sendIn<Row>((text, all) => send(client, text, all), sql, { params, values }));
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#counted(async () => {
      const client = await this.#connect();
      const tx = new PostgresTransaction(client, () => this.#lost.has(client));
      let usable = true;
      try {
        const value = await work(tx);
        await tx.commit();
        for (const table of this.#filling.add(tx.inserted)) void this.#look(table);
        return value;
      } catch (error) {
        usable = await tx.rollback();
        throw error;
      } finally {
        client.release(!usable);
      }
    });
  }

  async reuseSpace(table: string): Promise<void> {
    if (!SCHEMA_NAME.test(table)) throw new StorageError('bug', `not a name of a table: ${table}`);
    // Pages at the end are not given back: that takes a lock that writers would wait for, and the next rows need them.
    await this.#withClient((client) => send(client, `VACUUM (SKIP_LOCKED, TRUNCATE FALSE) ${table}`, []));
  }

  /** Has the table's statistics made. If that fails, the database makes them by itself some time later. */
  async #look(table: string): Promise<void> {
    await this.#withClient((client) => send(client, `ANALYZE (SKIP_LOCKED) ${table}`, [])).catch(ignore);
  }

  async ping(): Promise<void> {
    await this.query('SELECT 1 AS one');
  }

  async close(): Promise<void> {
    this.#closing ??= this.#whenIdle().then(() => this.#pool.end());
    return this.#closing;
  }

  /** Safe when several processes do it at once. */
  async createSchema(schema: string): Promise<void> {
    await this.transaction(async (tx) => {
      const there = await tx.query('SELECT 1 AS one FROM pg_namespace WHERE nspname = ?', [schema]);
      if (there.length > 0) return;
      await tx.query("SELECT CAST(pg_advisory_xact_lock(hashtext('myelin create schema')) AS TEXT) AS taken");
      await tx.run(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    });
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#counted(async () => {
      const client = await this.#connect();
      let broken = false;
      try {
        return await work(client);
      } catch (error) {
        broken = breaksConnection(error);
        throw error;
      } finally {
        client.release(broken || this.#lost.has(client));
      }
    });
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (cause) {
      const error = postgresError(cause, 'connect');
      throw error.kind === 'unavailable' ? error : new StorageError('unavailable', error.message, { cause });
    }
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new StorageError('unavailable', 'the database is closed');
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    }
  }

  #whenIdle(): Promise<void> {
    return this.#underWay === 0 ? Promise.resolve() : new Promise((resolve) => void (this.#idle = resolve));
  }
}

function refuseWriting(sql: string): void {
  if (!isReading(sql)) throw new StorageError('bug', `only reading is possible outside a transaction: ${sql}`);
}

function ignore(): void {
  // See where it is given.
}
