/** Brings a component's tables up to date: numbered, forward-only steps, each applied once. */
import { StorageError, type Database, type Migration, type SqlRow, type Transaction } from './database.ts';

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS schema_migrations (
  component TEXT NOT NULL, number BIGINT NOT NULL, name TEXT NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (component, number))`;
const READ_APPLIED = 'SELECT number, name FROM schema_migrations WHERE component = ? ORDER BY number';
const SAVE_APPLIED = 'INSERT INTO schema_migrations (component, number, name, applied_at) VALUES (?, ?, ?, ?)';
/** One lock per schema, held until the transaction ends. On SQLite the transaction itself is the lock. */
const POSTGRES_LOCK = "SELECT CAST(pg_advisory_xact_lock(hashtext(current_schema() || ' myelin migrate')) AS TEXT) AS taken";

interface Applied extends SqlRow {
  readonly number: number;
  readonly name: string;
}

/**
 * Applies what is missing of `migrations` (numbered 1, 2, 3, …) in one transaction: all or nothing. Several processes may do it at once. A database that
 * is newer than the program is left alone: during a rolling redeploy old and new versions run side by side. Rejects with `StorageError`:
 * `bug` when the numbers have a gap, a released step has another name, or a statement fails.
 */
export async function migrate(database: Database, component: string, migrations: readonly Migration[], nowMs: number): Promise<void> {
  checkNumbers(component, migrations);
  await database.transaction(async (tx) => {
    if (database.dialect === 'postgres') await takeLock(tx);
    await tx.run(CREATE_TABLE);
    const applied = await tx.query<Applied>(READ_APPLIED, [component]);
    checkApplied(component, migrations, applied);
    for (const migration of migrations.slice(applied.length)) {
      await apply(tx, component, migration);
      await tx.run(SAVE_APPLIED, [component, migration.number, migration.name, nowMs]);
    }
  });
}

async function takeLock(tx: Transaction & { liftTimeouts?(): Promise<void> }): Promise<void> {
  await tx.liftTimeouts?.();
  await tx.query(POSTGRES_LOCK);
}

async function apply(tx: Transaction, component: string, migration: Migration): Promise<void> {
  try {
    for (const statement of migration.statements) await tx.run(statement);
    await migration.fill?.(tx);
  } catch (cause) {
    const kind = cause instanceof StorageError ? cause.kind : 'bug';
    throw new StorageError(kind, `migration ${label(component, migration)} failed: ${(cause as Error).message}`, { cause });
  }
}

function checkNumbers(component: string, migrations: readonly Migration[]): void {
  migrations.forEach((migration, index) => {
    if (migration.number === index + 1) return;
    throw new StorageError('bug', `migration ${label(component, migration)} should have the number ${index + 1}: numbers go 1, 2, 3, …`);
  });
}

function checkApplied(component: string, migrations: readonly Migration[], applied: readonly Applied[]): void {
  applied.forEach((row, index) => {
    if (row.number !== index + 1) {
      throw new StorageError('bug', `the database has migration ${label(component, row)} but not number ${index + 1}: its schema_migrations has a gap`);
    }
    const known = migrations[index];
    if (known && known.name !== row.name) {
      throw new StorageError('bug', `migration ${label(component, known)} is in the database as "${row.name}": a released migration must not change`);
    }
  });
}

function label(component: string, migration: { readonly number: number; readonly name: string }): string {
  return `${component} ${migration.number} (${migration.name})`;
}
