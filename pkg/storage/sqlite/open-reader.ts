/** Reads a SQLite database that may belong to a running process: waits for no lock of it, creates nothing, changes nothing. */
import { existsSync } from 'node:fs';
import { isReading } from '../dialect.ts';
import { StorageError, type Reader } from '../database.ts';
import { connect } from './connection.ts';

const BUSY_TIMEOUT_MS = 5_000;

export interface SqliteReader extends Pick<Reader, 'query'> {
  close(): void;
}

/** undefined when there is no such file. Throws `StorageError` when it is no database. */
export function openSqliteReader(options: { readonly path: string }): SqliteReader | undefined {
  if (!existsSync(options.path)) return undefined;
  const connection = connect(options.path, { busyTimeoutMs: BUSY_TIMEOUT_MS, pragmas: ['query_only = ON'] });
  return {
    async query(sql, params = []) {
      if (!isReading(sql)) throw new StorageError('bug', `only reading is possible here: ${sql}`);
      return connection.all(sql, params);
    },
    close: () => connection.close(),
  };
}
