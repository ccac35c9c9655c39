/** The toy component, put together: an owner of `room-input` and a reader of `room-output` over one database. */
import { logMigrations } from '../../../../pkg/log/tables.ts';
import { createInputRunner } from '../../../../pkg/log/input-runner.ts';
import { createEmbeddedDriver } from '../../../../pkg/log/embedded/driver.ts';
import type { LogDriver } from '../../../../pkg/log/log.ts';
import { outboxReader } from '../../../../pkg/log/outbox.ts';
import { createOutputConsumer } from '../../../../pkg/log/output-consumer.ts';
import type { Runtime } from '../../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../../pkg/storage/database.ts';
import { migrate } from '../../../../pkg/storage/migrate.ts';
import { openPostgres } from '../../../../pkg/storage/postgres/open.ts';
import { openSqlite } from '../../../../pkg/storage/sqlite/open.ts';
import { openLog, type Address } from '../harness.ts';
import { createCounterApplier } from './applier.ts';
import { createCounterProcessor } from './processor.ts';
import { counterMigrations } from './records.ts';

/** Travels to child processes as JSON. */
export interface CounterSettings {
  readonly address: Address;
  /** A PostgreSQL URL, or a SQLite file. */
  readonly database: string;
  /** Which share of the output records is lost, which is sent twice, on the way to the driver. */
  readonly lossRate?: number;
  readonly repeatRate?: number;
}

export interface CounterComponent {
  readonly driver: LogDriver;
  readonly database: Database;
  health(): string | undefined;
  owned(): readonly number[];
  stop(): Promise<void>;
}

const SCHEMA = 'counter';

export async function openCounterDatabase(at: string): Promise<Database> {
  return at.startsWith('postgres') ? openPostgres({ url: at, schema: SCHEMA, poolSize: 4 }) : openSqlite({ path: at });
}

/** Makes the tables and starts to own and to read. */
export async function startCounter(settings: CounterSettings, runtime: Runtime): Promise<CounterComponent> {
  const { address } = settings;
  const database = await openCounterDatabase(settings.database);
  await migrate(database, 'log', logMigrations, runtime.clock.now());
  await migrate(database, 'counter', counterMigrations, runtime.clock.now());
  const real = address.driver === 'embedded' ? await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime }) : (await openLog(address, { runtime })).driver;
  const driver = unreliable(real, settings);
  const shared = { database, driver, runtime, partitions: address.partitions, exclusive: database.dialect === 'sqlite' };
  const owner = createInputRunner({ ...shared, consumer: 'counter', inputLog: 'room-input', outputLog: 'room-output', processor: createCounterProcessor(database) });
  const reader = createOutputConsumer({ ...shared, consumer: 'sums', log: 'room-output', applier: createCounterApplier(), outbox: outboxReader(database, 'room-output', 'counter') });
  await owner.start();
  await reader.start();
  return {
    driver, database,
    health: () => owner.health() ?? reader.health() ?? driver.health(),
    owned: () => owner.owned(),
    async stop() {
      await owner.stop();
      await reader.stop();
      await driver.close();
      await database.close();
    },
  };
}

/** Loses and repeats appends to output logs, as a broker may in the worst case; the relay is told that all went well. */
function unreliable(driver: LogDriver, { lossRate = 0, repeatRate = 0 }: CounterSettings): LogDriver {
  if (lossRate === 0 && repeatRate === 0) return driver;
  return {
    ...driver,
    async append(log, partition, records, options) {
      const dice = Math.random();
      if (log !== 'room-output' || dice >= lossRate) await driver.append(log, partition, records, options);
      if (log === 'room-output' && dice > 1 - repeatRate) await driver.append(log, partition, records, options);
    },
  };
}
