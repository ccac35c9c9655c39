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
  const opened: Partial<Record<(typeof COMPONENTS)[number], Database>> = {};
  try {
    if (database.kind === 'postgres') {
      const { openPostgres } = await import('../../pkg/storage/postgres/open.ts');
      for (const component of COMPONENTS) opened[component] = await openPostgres({ url: database.url, schema: component });
    } else {
      const { openSqlite } = await import('../../pkg/storage/sqlite/open.ts');
      mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
      for (const component of COMPONENTS) opened[component] = await openSqlite({ path: join(settings.dataDir, `${component}.db`) });
    }
    return opened as Databases;
  } catch (error) {
    await Promise.all(Object.values(opened).map((one) => one.close()));
    throw error;
  }
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
