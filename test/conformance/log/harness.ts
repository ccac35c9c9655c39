/** What the suite needs of a driver under test: a place where its data live, drivers opened on it, and the same for child processes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedDriver } from '../../../pkg/log/embedded/driver.ts';
import { createKafkaDriver } from '../../../pkg/log/kafka/driver.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { createNatsDriver } from '../../../pkg/log/nats/driver.ts';
import { createRuntime } from '../../../pkg/runtime/real/runtime.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';
import * as kafka from '../../kit/servers/kafka.ts';
import * as nats from '../../kit/servers/nats.ts';
import { sharedKafka, sharedNats, uniqueName } from '../../kit/servers/shared.ts';

export type DriverName = 'embedded' | 'nats' | 'kafka';

/** Where a driver's data live; travels to child processes as JSON. */
export interface Address {
  readonly driver: DriverName;
  /** Folder of the database files, or the server. */
  readonly at: string;
  readonly prefix: string;
  readonly partitions: number;
}

export interface OpenLog {
  readonly driver: LogDriver;
  close(): Promise<void>;
}

const PARTITIONS = 16;

/** Why a driver cannot be tested here; undefined when it can. */
export function unavailable(driver: DriverName): string | undefined {
  if (driver === 'nats') return process.env['MYELIN_TEST_NATS_URL'] ? undefined : nats.available();
  if (driver === 'kafka') return process.env['MYELIN_TEST_KAFKA_BROKERS'] ? undefined : kafka.available();
  return undefined;
}

export function quietRuntime(): Runtime {
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, child: () => logger };
  return createRuntime({ logger: process.env['MYELIN_TEST_LOG'] === undefined ? logger : loudLogger() });
}

function loudLogger(): Logger {
  const say = (level: string) => (fields: object, message: string) => console.error(level, message, fields);
  const logger: Logger = { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error'), child: () => logger };
  return logger;
}

/** A fresh place for the driver's data. */
export async function makeAddress(driver: DriverName): Promise<{ address: Address; release(): Promise<void> }> {
  if (driver === 'embedded') {
    const at = mkdtempSync(join(tmpdir(), 'myelin-log-'));
    return { address: { driver, at, prefix: '', partitions: PARTITIONS }, release: async () => rmSync(at, { recursive: true, force: true }) };
  }
  const shared = driver === 'nats' ? await sharedNats() : await sharedKafka();
  return { address: { driver, at: shared.address, prefix: `t${uniqueName()}`, partitions: PARTITIONS }, release: shared.release };
}

/** Opens the driver; on one embedded address only one can be open at a time. */
export async function openLog(address: Address, options: { runtime?: Runtime; appendTimeoutMs?: number; laneBytesMax?: number } = {}): Promise<OpenLog> {
  const { partitions, prefix } = address;
  const { runtime = quietRuntime(), ...limits } = options;
  if (address.driver === 'nats') return wrap(await createNatsDriver({ servers: address.at, partitions, prefix, runtime, ...limits }));
  if (address.driver === 'kafka') return wrap(await createKafkaDriver({ brokers: address.at.split(','), partitions, prefix, runtime, ...limits }));
  const rooms = await openSqlite({ path: join(address.at, 'rooms.db') });
  const users = await openSqlite({ path: join(address.at, 'users.db') });
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': rooms, 'user-input': users }, runtime, ...limits });
  return wrap(driver, async () => {
    await rooms.close();
    await users.close();
  });
}

function wrap(driver: LogDriver, after: () => Promise<void> = async () => undefined): OpenLog {
  return {
    driver,
    close: async () => {
      await driver.close();
      await after();
    },
  };
}
