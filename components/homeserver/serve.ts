/** Starts this process's share of the server and ends it in order: intake first, then what is under way, then connections and files. */
import type { RetiredKey } from '../../pkg/federation/server-keys.ts';
import { operationalRoutes } from '../../pkg/http/operational-routes.ts';
import { createRouter } from '../../pkg/http/router.ts';
import { startListener, type Listener, type ListenerOptions } from '../../pkg/http/listener.ts';
import type { InputLogName, LogDriver } from '../../pkg/log/log.ts';
import { encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { parseSigningKeyFile, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import { must } from '../../pkg/assert/assert.ts';
import { createHealth } from '../../pkg/runtime/health.ts';
import { watchLoopDelay } from '../../pkg/runtime/real/loop-delay.ts';
import { createRandom } from '../../pkg/runtime/real/random.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import { onReloadSignal, onStopSignal, onUncaught } from '../../pkg/runtime/real/signals.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import { createShutdown, type Shutdown } from '../../pkg/runtime/shutdown.ts';
import { createMetrics } from '../../pkg/telemetry/metrics.ts';
import { createLogger } from '../../pkg/telemetry/pino-logger.ts';
import type { Reader } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import type { AppserviceRegistration } from '../../schemas/config/appservice.ts';
import type { Settings, Terms } from '../../schemas/config/settings.ts';
import { readTlsFiles } from './certificates.ts';
import { loadAppservices } from './config/appservices.ts';
import { checkFixedSettings, fixedSettingsMigrations } from './config/fixed-settings.ts';
import { openSettings, type OpenedSettings } from './config/first-start.ts';
import { loadTerms } from './config/terms.ts';
import { newSigningKeyText } from './config/new-signing-key.ts';
import { migrateAll } from './migrate-all.ts';
import { openDatabases, openDriver } from './open.ts';
import { openTransport } from './other-servers.ts';
import { purgeRoutes } from './purge/route.ts';
import { passOverIfRestored } from './restore/restored.ts';
import { collectStatus } from './status/collect.ts';
import { statusRoute } from './status/route.ts';
import type { Status } from './status/status.ts';
import { userRoute } from './users/route.ts';
import { welcome } from './welcome.ts';
import { wire, type Databases, type Homeserver } from './wire.ts';

const SHUTDOWN_MS_MAX = 20_000;

/** Resolves when the server is up; it then runs until SIGTERM or SIGINT. Rejects with what is wrong before that. */
export async function serve(args: readonly string[]): Promise<void> {
  const random = createRandom();
  const opened = await openSettings({ env: process.env, args, random, newSigningKey: () => newSigningKeyText(random) });
  const { settings } = opened;
  const metrics = createMetrics({ processMetrics: true });
  watchLoopDelay(metrics);
  const runtime = createRuntime({ logger: createLogger(settings.logging), metrics });
  const appservices = loadAppservices(settings.appserviceDir, settings.serverName);
  const terms = loadTerms(settings.termsFile);
  const signingKey = parseSigningKeyFile(opened.signingKeyText);
  const shutdown = createShutdown({ runtime, deadlineMs: SHUTDOWN_MS_MAX });
  endOnSignals(shutdown, runtime);
  try {
    const { homeserver, databases, driver } = await assemble({ settings, runtime, signingKey, oldSigningKeys: opened.oldSigningKeys, appservices, terms, shutdown });
    const listener = await listen({ settings, runtime, homeserver, shutdown, status: () => statusOf({ settings, runtime, databases, driver }), rooms: databases.roomserver });
    await homeserver.start();
    shutdown.add({ name: 'components', phase: 'drain', run: () => homeserver.stop() });
    started = true;
    announce(opened, listener, runtime);
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

/** Whether everything that this process runs has been started: `/ready` says no before. */
let started = false;

interface Assembly {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly signingKey: SigningKey;
  readonly oldSigningKeys: readonly RetiredKey[];
  readonly appservices: readonly AppserviceRegistration[];
  readonly terms: Terms | undefined;
  readonly shutdown: Shutdown;
}

async function assemble({ settings, runtime, signingKey, oldSigningKeys, appservices, terms, shutdown }: Assembly): Promise<{ homeserver: Homeserver; databases: Databases; driver: LogDriver }> {
  const transport = await openTransport(settings, runtime);
  shutdown.add({ name: 'connections to other servers', phase: 'close', run: async () => transport.close() });
  const databases = await openDatabases(settings);
  shutdown.add({ name: 'databases', phase: 'close', run: async () => void (await Promise.all(Object.values(databases).map((database) => database.close()))) });
  const nowMs = runtime.clock.now();
  await migrateAll(databases, nowMs);
  await migrate(databases.roomserver, 'homeserver', fixedSettingsMigrations, nowMs);
  const named = ({ keyId, publicKey }: { keyId: string; publicKey: Uint8Array }): string => `${keyId} ${encodeBase64(publicKey)}`;
  await checkFixedSettings(databases.roomserver, { serverName: settings.serverName, partitions: settings.partitions, signingKey: named(signingKey), oldSigningKeys: oldSigningKeys.map(named) });
  await passOverIfRestored(databases, runtime);
  const driver = await openDriver(settings, databases, runtime);
  shutdown.add({ name: 'log', phase: 'close', run: () => driver.close() });
  // The embedded log exists in one process only, which therefore owns every partition at once.
  const homeserver = await wire({ settings: { ...settings, terms }, runtime, databases, driver, signingKey, oldSigningKeys, appservices, transport, exclusive: settings.log.kind === 'embedded' });
  return { homeserver, databases, driver };
}

interface Listening {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly homeserver: Homeserver;
  readonly shutdown: Shutdown;
  readonly status: () => Promise<Status>;
  /** The roomserver's tables. */
  readonly rooms: Pick<Reader, 'query'>;
}

async function listen({ settings, runtime, homeserver, shutdown, status, rooms }: Listening): Promise<Listener> {
  const health = createHealth({ clock: runtime.clock });
  for (const check of homeserver.checks) health.add(check);
  const readiness = createHealth({ clock: runtime.clock });
  for (const check of homeserver.checks) readiness.add(check);
  readiness.add({ name: 'process', check: async () => (shutdown.stopping() ? 'stopping' : started ? undefined : 'starting') });
  const metrics = must(runtime.metrics, 'the metrics registry');
  const operational = operationalRoutes({ health: () => health.report(), ready: () => readiness.report(), metrics: () => metrics.expose() });
  const { host } = settings.listen;
  const own = [statusRoute({ host, status }), ...purgeRoutes({ host, runtime, submitRoomInput: homeserver.submitRoomInput, reader: rooms }),
    userRoute({ host, serverName: settings.serverName, runtime, accounts: homeserver.accounts })];
  const router = createRouter([...homeserver.routes, ...operational, ...own], { runtime, metrics, queryTokens: settings.queryTokens });
  const common = { router, runtime, trustedProxies: settings.trustedProxies };
  const listener = await startListener({ ...common, ...settings.listen });
  stopInTime('listener', listener, shutdown);
  if (settings.tls !== undefined) await listenOverTls(common, settings.tls, shutdown);
  return listener;
}

function stopInTime(name: string, listener: Listener, shutdown: Shutdown): void {
  shutdown.add({ name, phase: 'intake', run: (remainingMs) => listener.stop(Math.min(remainingMs, SHUTDOWN_MS_MAX / 2)) });
}

/** The same over HTTPS; SIGHUP has the certificate read again. */
async function listenOverTls(common: Pick<ListenerOptions, 'router' | 'runtime' | 'trustedProxies'>, tls: NonNullable<Settings['tls']>, shutdown: Shutdown): Promise<void> {
  const { logger } = common.runtime;
  const listener = await startListener({ ...common, host: tls.host, port: tls.port, tls: await readTlsFiles(tls) });
  stopInTime('TLS listener', listener, shutdown);
  onReloadSignal(() => {
    readTlsFiles(tls).then((files) => listener.useCertificate(files)).then(
      () => logger.info({ certificate: tls.certificateFile }, 'the certificate was read again'),
      (error: unknown) => logger.error({ error }, 'the certificate was not changed: the new files cannot be used'),
    );
  });
}

interface Looking {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly databases: Databases;
  readonly driver: LogDriver;
}

/** The status as this process sees it, by the database's clock, as leases are. */
async function statusOf({ settings, runtime, databases, driver }: Looking): Promise<Status> {
  const { serverName, partitions } = settings;
  const nowMs = databases.roomserver.dialect === 'sqlite' ? runtime.clock.now() : await databases.roomserver.transaction((tx) => tx.nowMs(runtime.clock.now()));
  const where = driver.name === 'embedded'
    ? { embedded: { running: runtime.instanceId } }
    : { embedded: undefined, inputs: { transport: driver.transportId, head: (log: InputLogName, partition: number) => driver.head(log, partition) } };
  return collectStatus({ serverName, partitions, source: 'server', readers: databases, nowMs, ...where });
}

function announce(opened: OpenedSettings, listener: Listener, runtime: Runtime): void {
  const { settings } = opened;
  runtime.logger.info({ serverName: settings.serverName, roles: settings.roles, log: settings.log.kind, database: settings.database.kind, host: listener.host, port: listener.port }, 'myelin is up');
  if (settings.logging.format === 'pretty') process.stdout.write(welcome(opened, listener));
}

function endOnSignals(shutdown: Shutdown, runtime: Runtime): void {
  onStopSignal((signal) => {
    runtime.logger.info({ signal }, 'stopping: no new requests, then what is under way, then the rest');
    void shutdown.run().then((failed) => process.exit(failed.length > 0 ? 1 : 0));
  });
  onUncaught((error) => {
    runtime.logger.error({ error }, 'a bug: nobody caught this error; stopping, because the state of the process cannot be trusted');
    void shutdown.run().then(() => process.exit(1));
  });
}
