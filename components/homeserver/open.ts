/** Opens what settings name: databases and log driver. The only place that chooses between SQLite and PostgreSQL, and between the logs. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LogDriver } from '../../pkg/log/log.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { Settings } from '../../schemas/config/settings.ts';
import type { Databases } from './wire.ts';

const COMPONENTS = ['roomserver', 'userapi', 'syncapi', 'federationapi'] as const;

/** A file a component on SQLite, a schema a component on PostgreSQL. Rejects with `StorageError` and closes what was opened by then. */
export async function openDatabases(settings: Pick<Settings, 'database' | 'dataDir'>): Promise<Databases> {
  const { database } = settings;
  const open = database.kind === 'postgres' ? await postgresOf(database.url) : await sqliteOf(settings.dataDir);
  const opened = await Promise.allSettled(COMPONENTS.map(open));
  const databases = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed === undefined) return Object.fromEntries(COMPONENTS.map((component, index) => [component, databases[index]])) as unknown as Databases;
  await Promise.all(databases.map((one) => one.close()));
  throw failed.reason;
}

type Open = (component: (typeof COMPONENTS)[number]) => Promise<Database>;

async function postgresOf(url: string): Promise<Open> {
  const { openPostgres } = await import('../../pkg/storage/postgres/open.ts');
  return (component) => openPostgres({ url, schema: component });
}

async function sqliteOf(dataDir: string): Promise<Open> {
  const { openSqlite } = await import('../../pkg/storage/sqlite/open.ts');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return (component) => openSqlite({ path: join(dataDir, `${component}.db`) });
}

/** Connects to the log; rejects with `LogUnavailable` when its broker does not answer. */
export async function openDriver(settings: Pick<Settings, 'log' | 'logPrefix' | 'partitions'>, databases: Databases, runtime: Runtime): Promise<LogDriver> {
  const { log, logPrefix: prefix, partitions } = settings;
  switch (log.kind) {
    case 'nats': {
      const { createNatsDriver } = await import('../../pkg/log/nats/driver.ts');
      return createNatsDriver({ servers: log.servers.split(','), partitions, prefix, runtime });
    }
    case 'kafka': {
      const { createKafkaDriver } = await import('../../pkg/log/kafka/driver.ts');
      return createKafkaDriver({ brokers: log.brokers.split(','), partitions, prefix, runtime });
    }
    case 'embedded': {
      const { createEmbeddedDriver } = await import('../../pkg/log/embedded/driver.ts');
      return createEmbeddedDriver({ inputDatabases: { 'room-input': databases.roomserver, 'user-input': databases.userapi }, runtime });
    }
  }
}
