/** A homeserver in this process, wired as the program is, with every role. */
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { openDatabases, openDriver } from '../../components/homeserver/open.ts';
import { wire, type Databases } from '../../components/homeserver/wire.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Logger } from '../../pkg/telemetry/logger.ts';
import { ROLES, type Settings } from '../../schemas/config/settings.ts';

export interface ServerHere {
  readonly runtime: Runtime;
  readonly databases: Databases;
  readonly driver: LogDriver;
  stop(): Promise<void>;
}

export async function startServerHere(settings: Pick<Settings, 'log' | 'database' | 'dataDir' | 'logPrefix' | 'partitions'>): Promise<ServerHere> {
  const runtime = createRuntime({ logger: warnings() });
  const databases = await openDatabases(settings);
  await migrateAll(databases, runtime.clock.now());
  const driver = await openDriver(settings, databases, runtime);
  const server = await wire({
    settings: {
      serverName: 'replay.test', roles: ROLES, partitions: settings.partitions, registration: 'closed', registrationToken: '', rateLimits: false, defaultRoomVersion: '12', publicBaseUrl: '',
    },
    runtime, databases, driver, signingKey: signingKeyFromSeed('1', new Uint8Array(32).fill(255)), exclusive: settings.log.kind === 'embedded',
  });
  await server.start();
  return {
    runtime, databases, driver,
    async stop() {
      await server.stop();
      await driver.close();
      await Promise.all(Object.values(databases).map((database) => database.close()));
    },
  };
}

/** What goes wrong belongs on the screen; everything else would be measured, too. */
function warnings(): Logger {
  const none = (): void => undefined;
  const print = (fields: object, message: string): void => console.error(message, fields);
  const logger: Logger = { debug: none, info: none, warn: print, error: print, child: () => logger };
  return logger;
}
