/** `myelin front`: prints the front's configuration for the addresses given. */
import { parseArgs } from 'node:util';
import { createEmbeddedDriver } from '../../pkg/log/embedded/driver.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { createLogger } from '../../pkg/telemetry/pino-logger.ts';
import type { HttpRole, Route } from '../../pkg/http/route.ts';
import { ROLES } from '../../schemas/config/settings.ts';
import { SettingsError } from './config/settings-error.ts';
import { nginxFront } from './front.ts';
import { migrateAll } from './migrate-all.ts';
import { wire } from './wire.ts';

const USAGE = `myelin front --listen 8008 --clientapi host:port[,host:port] --syncapi host:port[,host:port] [--federationapi host:port[,host:port]]
Prints what belongs into the http block of an nginx configuration: each request goes to a process that runs its role.
`;

export async function writeFront(args: readonly string[]): Promise<void> {
  const { listen, clientapi, syncapi, federationapi, help } = optionsOf(args);
  if (help === true) return void process.stdout.write(USAGE);
  if (listen === undefined || clientapi === undefined || syncapi === undefined) throw new SettingsError([`front needs --listen, --clientapi and --syncapi\n${USAGE}`]);
  const upstreams = Object.entries({ clientapi, syncapi, ...(federationapi !== undefined && { federationapi }) }).map(([role, text]) => ({ role: role as HttpRole, addresses: addressesOf(role, text) }));
  process.stdout.write(nginxFront({ listen, upstreams, routes: await allRoutes() }));
}

function optionsOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { listen: { type: 'string' }, clientapi: { type: 'string' }, syncapi: { type: 'string' }, federationapi: { type: 'string' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    throw new SettingsError([`${(error as Error).message}\n${USAGE}`]);
  }
}

function addressesOf(role: string, text: string): string[] {
  const addresses = text.split(',').map((address) => address.trim());
  for (const address of addresses) {
    if (!/^[A-Za-z0-9.\-[\]:]+:\d{1,5}$/.test(address)) throw new SettingsError([`--${role} has ${JSON.stringify(address)}, which is not host:port`]);
  }
  return addresses;
}

/** The table of all routes, from a server that is put together in memory and never started. */
async function allRoutes(): Promise<readonly Route[]> {
  const runtime = createRuntime({ logger: createLogger({ level: 'error', format: 'json' }) });
  const databases = { roomserver: await openSqlite({ path: ':memory:' }), userapi: await openSqlite({ path: ':memory:' }), syncapi: await openSqlite({ path: ':memory:' }), federationapi: await openSqlite({ path: ':memory:' }) };
  await migrateAll(databases, runtime.clock.now());
  const driver = await createEmbeddedDriver({ inputDatabases: {}, runtime });
  const settings = { serverName: 'localhost', roles: ROLES, partitions: 1, registration: 'closed', registrationToken: '', rateLimits: false, defaultRoomVersion: '12', publicBaseUrl: '' } as const;
  const { routes } = await wire({ settings, runtime, databases, driver, signingKey: signingKeyFromSeed('front', new Uint8Array(32)), exclusive: true });
  return routes;
}
