/**
 * The process that fills a PostgreSQL database with the rows of SQLite files that were filled before: the tables and their text are the same, and to copy rows takes a fraction of the time in which events
 * are carried out. Settings come as JSON in the first argument.
 */
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { openDatabases } from '../../components/homeserver/open.ts';
import { EMBEDDED_LOG_COMPONENT, embeddedLogMigrations } from '../../pkg/log/embedded/tables.ts';
import type { Database, SqlValue } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';

export interface CopySettings {
  /** A data folder of SQLite files. */
  readonly from: string;
  /** Of an empty database. */
  readonly url: string;
}

const ROWS_AT_ONCE = 4096;
/** Those of each database are its own. */
const MIGRATIONS = 'schema_migrations';

const { from, url } = JSON.parse(process.argv[2]!) as CopySettings;
const databases = await openDatabases({ database: { kind: 'postgres', url }, dataDir: from });
await migrateAll(databases, Date.now());
for (const database of [databases.roomserver, databases.userapi]) await migrate(database, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, Date.now());
for (const [component, database] of Object.entries(databases)) await copy(join(from, `${component}.db`), database);
await Promise.all(Object.values(databases).map((database) => database.close()));

async function copy(file: string, database: Database): Promise<void> {
  const sqlite = new Sqlite(file);
  const tables = sqlite.prepare<[], { name: string }>(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name <> '${MIGRATIONS}'`).all();
  for (const { name } of tables) {
    const rows = sqlite.prepare<[], SqlValue[]>(`SELECT * FROM ${name}`).raw();
    const columns = rows.columns().map((column) => column.name);
    let waiting: SqlValue[][] = [];
    const write = async (): Promise<void> => {
      const chunk = waiting;
      waiting = [];
      await database.transaction((tx) => tx.insertMany({ into: name, columns, rows: chunk, onConflict: 'ON CONFLICT DO NOTHING' }));
    };
    for (const row of rows.iterate()) {
      waiting.push(row);
      if (waiting.length === ROWS_AT_ONCE) await write();
    }
    await write();
  }
  sqlite.close();
}
