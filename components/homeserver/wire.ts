/**
 * The composition root: which components run here, and how they meet. Reads like the architecture: writers append inputs, owners decide and produce outputs, readers
 * apply them; cold-path reads go through ports that the owner's read-only query code fulfils over the shared database.
 *
 * What is opened outside (databases, log driver, runtime) comes in as arguments, so that the program, the tests and the simulator wire the same server.
 */
import type { RetiredKey } from '../../pkg/federation/server-keys.ts';
import { signedTransport } from '../../pkg/federation/sign-requests.ts';
import { FederationError, type FederationTransport } from '../../pkg/federation/transport.ts';
import { createAppservices } from '../../pkg/http/appservices.ts';
import type { Route } from '../../pkg/http/route.ts';
import { createTokenUse } from '../../pkg/http/token-use.ts';
import { createSharedRateLimiter } from '../../pkg/http/shared-rate-limit.ts';
import type { AppliedPositions } from '../../pkg/log/applied.ts';
import { createAppliedPositions } from '../../pkg/log/applied-positions.ts';
import { roomOutputCodec, userOutputCodec, type Codec } from '../../pkg/log/codec.ts';
import { createCommandClient } from '../../pkg/log/command-client.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import { outboxReader } from '../../pkg/log/outbox.ts';
import type { OutboxReader } from '../../pkg/log/outbox-reader.ts';
import { outputConsumerName } from '../../pkg/log/output-consumer.ts';
import { readSequences } from '../../pkg/log/positions.ts';
import { outcomeLookup } from '../../pkg/log/remembered-inputs.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import { tasksCheck } from '../../pkg/runtime/health.ts';
import type { HealthCheck, Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { AppserviceRegistration } from '../../schemas/config/appservice.ts';
import type { Role, Settings, Terms } from '../../schemas/config/settings.ts';
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import { createClientapi } from '../clientapi/index.ts';
import { createRoomserver, ROOMSERVER_CONSUMER, roomHistoryQuery, roomQuery, roomSnapshot } from '../roomserver/index.ts';
import { createSyncapi, SYNCAPI_CONSUMER, syncQuery } from '../syncapi/index.ts';
import { createFederationapi, FEDERATIONAPI_CONSUMER, stagedState } from '../federationapi/index.ts';
import { createUserapi, USERAPI_CONSUMER, userQuery, userSnapshot } from '../userapi/index.ts';
import { VERSION } from './version.ts';

/** One database a component that has tables; every process opens all of them, because ports read over them. */
export type Databases = { readonly [component in 'roomserver' | 'userapi' | 'syncapi' | 'federationapi']: Database };

export interface WireOptions {
  readonly settings: Pick<Settings, 'serverName' | 'roles' | 'partitions' | 'registration' | 'registrationToken' | 'rateLimits' | 'defaultRoomVersion' | 'publicBaseUrl'>
    & { readonly terms?: Terms | undefined } & Partial<Pick<Settings, 'guests' | 'sessions' | 'forgetOnLeave' | 'presence' | 'serverNotices' | 'classLimits' | 'userLimits' | 'discovery' | 'inviteIdentityServers' | 'registrationSharedSecret' | 'federation' | 'roomHeadsBytes' | 'forwardExtremitiesMax' | 'deviceKeysGuard' | 'encryptedRooms' | 'toDeviceWaitingMax'>>;
  readonly runtime: Runtime;
  /** Migrated. */
  readonly databases: Databases;
  readonly driver: LogDriver;
  readonly signingKey: SigningKey;
  /** What this server has signed with before. */
  readonly oldSigningKeys?: readonly RetiredKey[];
  /** Application services that the operator has registered; none by default. */
  readonly appservices?: readonly AppserviceRegistration[];
  /** The way to other servers; none can be reached without. */
  readonly transport?: FederationTransport;
  /** This process is the only one on these databases. */
  readonly exclusive: boolean;
}

const NO_TRANSPORT: FederationTransport = { request: ({ destination }) => Promise.reject(new FederationError('unreachable', `there is no way to ${destination}`)) };

export interface Homeserver {
  readonly routes: readonly Route[];
  readonly checks: readonly HealthCheck[];
  /** What the operator wants of rooms. */
  readonly submitRoomInput: CommandClient['submitRoomInput'];
  /** What the operator wants of users. */
  readonly accounts: { readonly commands: CommandClient; readonly userQuery: UserQuery; readonly appliedPositions: AppliedPositions };
  /** Owners first, then readers, then writers: nobody asks before somebody answers. */
  start(): Promise<void>;
  /** The other way round: writers stop first. */
  stop(): Promise<void>;
}

interface Part {
  readonly role: Role;
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
}

export async function wire(options: WireOptions): Promise<Homeserver> {
  const { settings, runtime, databases, driver, signingKey, exclusive } = options;
  const { serverName, roles } = settings;
  const partitionMap = { version: 1, partitions: settings.partitions };
  const users = userQuery(databases.userapi, runtime.clock);
  const appservices = createAppservices(options.appservices ?? [], serverName, users);
  const hasFollowers = exclusive || roles.some((role) => ['clientapi', 'syncapi'].includes(role));
  const appliedPositions = await createAppliedPositions({ consumer: SYNCAPI_CONSUMER, logs: ['room-output', 'user-output'], database: databases.syncapi, driver, runtime, exclusive, hasFollowers });
  const commands = createCommandClient({ driver, runtime, partitionMap, lookup: outcomesIn(databases) });
  const limits = createSharedRateLimiter({ ...settings, runtime, driver: exclusive || !roles.some((role) => ['clientapi', 'syncapi', 'federationapi'].includes(role)) ? undefined : driver, enabled: settings.rateLimits });
  const userPort: UserQuery = { ...users, appservices, tokenUse: createTokenUse({ runtime, commands }) };
  const ports = { roomQuery: roomQuery(databases.roomserver), userQuery: userPort, syncQuery: syncQuery(databases.syncapi) };
  const transport = options.transport ?? NO_TRANSPORT;
  const signed = signedTransport(transport, { serverName, signingKey });
  const common = { runtime, driver, partitionMap, exclusive, serverName };
  const applied = (log: 'room-output' | 'user-output') => () => readSequences(databases.syncapi, outputConsumerName(SYNCAPI_CONSUMER, log));
  const federated = (log: 'room-output' | 'user-output') => () => sequencesIfAny(databases.federationapi, outputConsumerName(FEDERATIONAPI_CONSUMER, log), settings.partitions);
  const roomOutput = roomOutputOf(databases.roomserver);
  const userOutbox = outboxReader(databases.userapi, 'user-output', USERAPI_CONSUMER);

  const parts: Part[] = [];
  const routes: Route[] = [];
  if (roles.includes('userapi')) {
    parts.push({ role: 'userapi', ...bound(createUserapi({ ...common, database: databases.userapi, presence: settings.presence && { serverName }, outputReaders: [applied('user-output'), federated('user-output')], rooms: { serverName, commands, ...ports }, unclaimed: { commands, messagesMax: settings.toDeviceWaitingMax } })) });
  }
  if (roles.includes('roomserver')) {
    const roomserver = createRoomserver({
      ...common, database: databases.roomserver, signingKey, outputReaders: [applied('room-output'), federated('room-output')], stagedState: stagedState(databases.federationapi),
      commands, guests: users, headBytesMax: settings.roomHeadsBytes, extremitiesMax: settings.forwardExtremitiesMax,
    });
    parts.push({ role: 'roomserver', ...bound(roomserver) });
  }
  if (roles.includes('syncapi')) {
    const syncapi = createSyncapi({
      ...common, ...ports, ...roomOutput, database: databases.syncapi, appliedPositions, commands, limits, signedTransport: signed, roomHistoryQuery: roomHistoryQuery(databases.roomserver),
      userOutbox,
      userSnapshot: async (partition, after, limit) => enveloped(userOutputCodec, await userSnapshot(databases.userapi, partition, after, limit)),
      onApplied: (advance) => appliedPositions.advance(advance), presence: settings.presence,
    });
    parts.push({ role: 'syncapi', ...bound(syncapi) });
    routes.push(...syncapi.routes);
  }
  if (roles.includes('clientapi')) {
    routes.push(...createClientapi({ runtime, limits, serverName, signingKey, commands, appliedPositions, partitionMap, settings, signedTransport: signed, presenceDriver: settings.presence && driver, ...ports }).routes);
  }
  if (roles.includes('federationapi')) {
    const federationapi = createFederationapi({
      ...common, ...ports, ...roomOutput, userOutbox, database: databases.federationapi, signingKey, oldSigningKeys: options.oldSigningKeys, version: VERSION, commands, limits, transport, signedTransport: signed, presence: settings.presence,
      roomHistoryQuery: roomHistoryQuery(databases.roomserver),
      settings: { trustedKeyServers: [], deniedServers: [], wellKnownServer: '', ...settings.federation, deviceKeysGuard: settings.deviceKeysGuard },
    });
    parts.push({ role: 'federationapi', ...bound(federationapi) });
    routes.push(...federationapi.routes);
  }
  return {
    routes,
    checks: healthChecks(options, parts),
    submitRoomInput: commands.submitRoomInput,
    accounts: { commands, userQuery: ports.userQuery, appliedPositions },
    async start() {
      for (const part of parts) await part.start();
      await limits.start();
    },
    async stop() {
      const steps = [...[...parts].reverse().map((part) => () => part.stop()), () => limits.stop(), () => commands.close(), () => appliedPositions.close()];
      // One that fails must not keep the others from giving their partitions back.
      const failures: unknown[] = [];
      for (const step of steps) await step().catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped in order');
    },
  };
}

/** Where outcomes are remembered. */
function outcomesIn(databases: Databases): ReturnType<typeof outcomeLookup> {
  return outcomeLookup({
    'room-input': { database: databases.roomserver, consumer: ROOMSERVER_CONSUMER },
    'user-input': { database: databases.userapi, consumer: USERAPI_CONSUMER },
  });
}

/** What makes this process unhealthy: a dead task, a component that does not advance, the log, a database. */
function healthChecks(options: WireOptions, parts: readonly Part[]): HealthCheck[] {
  const { runtime, driver, databases } = options;
  return [
    tasksCheck(runtime.tasks),
    { name: 'log', check: async () => driver.health() },
    ...parts.map((part): HealthCheck => ({ name: part.role, check: async () => part.health() })),
    ...Object.entries(databases).map(([name, database]): HealthCheck => ({
      name: `database ${name}`,
      check: () => database.ping().then(() => undefined, (error: unknown) => `does not answer: ${error instanceof Error ? error.message : String(error)}`),
    })),
  ];
}

/** What readers of room-output need beside the log: what it no longer carries. */
function roomOutputOf(database: Database): { roomOutbox: OutboxReader; roomSnapshot: (partition: number, after: number, limit: number) => Promise<OutputEnvelope[]> } {
  return {
    roomOutbox: outboxReader(database, 'room-output', ROOMSERVER_CONSUMER),
    roomSnapshot: async (partition, after, limit) => enveloped(roomOutputCodec, await roomSnapshot(database, partition, after, limit)),
  };
}

/** Records made again from an owner's tables, as its outbox would give them. */
function enveloped<Output>(codec: Codec<Output>, records: readonly { sequence: number; output: Output }[]): OutputEnvelope[] {
  return records.map(({ sequence, output }) => ({ sequence, epoch: 0, record: codec.encode(output) }));
}

/** How far a reader is that not every installation has: one that never ran holds up nobody. */
async function sequencesIfAny(database: Database, consumer: string, partitions: number): Promise<readonly number[]> {
  const sequences = await readSequences(database, consumer);
  return sequences.length > 0 ? sequences : new Array<number>(partitions).fill(Number.MAX_SAFE_INTEGER);
}

/** Methods of a component without its object. */
function bound(part: Omit<Part, 'role'>): Omit<Part, 'role'> {
  return { start: () => part.start(), stop: () => part.stop(), health: () => part.health() };
}
