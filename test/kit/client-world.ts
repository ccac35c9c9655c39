/** The clientapi's routes over the real owners (userapi and roomserver) in memory. For component tests: requests in, answers out. */
import { createClientapi, type ClientapiSettings } from '../../components/clientapi/index.ts';
import { createRoomProcessor, roomQuery, roomserverMigrations } from '../../components/roomserver/index.ts';
import { createProfileSpreader } from '../../components/userapi/profile/spread.ts';
import { createUserProcessor, userapiMigrations, userQuery } from '../../components/userapi/index.ts';
import { createAppservices } from '../../pkg/http/appservices.ts';
import type { FederationTransport } from '../../pkg/federation/transport.ts';
import { gathered } from '../../pkg/http/body.ts';
import { Departure } from '../../pkg/http/departure.ts';
import { createRouter, type Router } from '../../pkg/http/router.ts';
import { createTokenUse } from '../../pkg/http/token-use.ts';
import { createSharedRateLimiter } from '../../pkg/http/shared-rate-limit.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import { roomInputCodec, userInputCodec, userOutputCodec } from '../../pkg/log/codec.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { AppserviceRegistration } from '../../schemas/config/appservice.ts';
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { RoomInput } from '../../schemas/log/room-input.ts';
import type { UserInput } from '../../schemas/log/user-input.ts';
import type { UserOutput } from '../../schemas/log/user-output.ts';
import type { RoomQuery, StoredEvent } from '../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../schemas/ports/sync-query.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import { createDirectOwner, type DirectOwner } from './direct-owner.ts';
import { createManualRuntime, type ManualRuntime } from './manual-runtime.ts';
import { createReadModel } from './read-model.ts';

export const WORLD_SERVER = 'test.example';
export const PASSWORD = 'correct horse battery';

export interface Answer {
  readonly status: number;
  // Parsed if it is JSON, else (pages) its text. Bodies of answers are looked into freely by tests.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Session {
  readonly userId: string;
  readonly deviceId: string;
  readonly token: string;
}

export interface ClientWorld {
  readonly runtime: ManualRuntime;
  readonly users: DirectOwner<UserInput>;
  readonly rooms: DirectOwner<RoomInput>;
  readonly roomQuery: RoomQuery;
  readonly userQuery: UserQuery;
  readonly syncQuery: SyncQuery;
  readonly userDatabase: Database;
  readonly roomDatabase: Database;
  readonly router: Router;
  /** `body` as a value is sent as JSON, as a string unchanged. */
  call(method: string, path: string, options?: { token?: string; body?: unknown; address?: string }): Promise<Answer>;
  register(name: string): Promise<Session>;
  state(roomId: string, type: string, stateKey?: string): Promise<Record<string, unknown> | undefined>;
  events(roomId: string): Promise<StoredEvent[]>;
  userOutputs(): UserOutput[];
  /** Resolves once all rooms have heard of changed profiles. Moves the time on. */
  profilesSpread(): Promise<void>;
  /** Positions that an answer waited for, as `log partition sequence`. */
  readonly waited: readonly string[];
  close(): Promise<void>;
}

const SETTINGS: ClientapiSettings = { registration: 'open', registrationToken: '', defaultRoomVersion: '12', publicBaseUrl: 'https://matrix.test.example', rateLimits: false };

/** What other servers do. */
export interface Elsewhere {
  /** The outcome of inputs that the owner cannot carry out alone; undefined: it can. */
  readonly submit?: (...submitted: Parameters<CommandClient['submitRoomInput']>) => Promise<Outcome> | undefined;
  readonly signedTransport?: FederationTransport;
}

/** Works in a world of its own, which is closed afterwards. */
export async function inClientWorld(options: Partial<ClientapiSettings>, work: (world: ClientWorld) => Promise<void>, appservices: readonly AppserviceRegistration[] = []): Promise<void> {
  const world = await createClientWorld(options, appservices);
  try {
    await work(world);
  } finally {
    await world.close();
  }
}

export async function createClientWorld(options: Partial<ClientapiSettings> = {}, appservices: readonly AppserviceRegistration[] = [], elsewhere: Elsewhere = {}): Promise<ClientWorld> {
  const runtime = createManualRuntime();
  const { clock } = runtime;
  const signingKey = signingKeyFromSeed('1', new Uint8Array(32).fill(7));
  const partitionMap = { version: 1, partitions: 4 };
  const userDatabase = await openSqlite({ path: ':memory:' });
  const roomDatabase = await openSqlite({ path: ':memory:' });
  await migrate(userDatabase, 'userapi', userapiMigrations, clock.now());
  await migrate(roomDatabase, 'roomserver', roomserverMigrations, clock.now());
  const users = createDirectOwner({ processor: createUserProcessor({ database: userDatabase, onProfileChanged: () => spreader.nudge() }), database: userDatabase, partitionMap, encode: userInputCodec.encode, now: clock.now });
  const typing = { set() {}, forget() {} };
  const roomProcessor = createRoomProcessor({ database: roomDatabase, serverName: WORLD_SERVER, signingKey, typing });
  const rooms = createDirectOwner({ processor: roomProcessor, database: roomDatabase, partitionMap, encode: roomInputCodec.encode, now: clock.now });
  const waited: string[] = [];
  const query = roomQuery(roomDatabase);
  const accounts = userQuery(userDatabase, clock);
  const readModel = await createReadModel({ roomQuery: query, outputs: rooms.outputs, serverName: WORLD_SERVER });

  const spreader = createProfileSpreader({
    database: userDatabase, runtime, syncQuery: readModel.syncQuery, commands: { submitRoomInput: rooms.submit, submitUserInput: users.submit }, owned: () => [0, 1, 2, 3],
  });
  spreader.start();

  async function state(roomId: string, type: string, stateKey = ''): Promise<Record<string, unknown> | undefined> {
    const [event] = await query.currentState(roomId, [[type, stateKey]]);
    return event && (JSON.parse(Buffer.from(event.pdu).toString()) as { content: Record<string, unknown> }).content;
  }

  const { routes } = createClientapi({
    runtime, serverName: WORLD_SERVER, signingKey, partitionMap,
    limits: createSharedRateLimiter({ runtime, driver: undefined, enabled: options.rateLimits ?? SETTINGS.rateLimits }),
    commands: { submitRoomInput: (input, wish) => elsewhere.submit?.(input, wish) ?? rooms.submit(input), submitUserInput: users.submit, close: async () => undefined },
    userQuery: { ...accounts, appservices: createAppservices(appservices, WORLD_SERVER, accounts), tokenUse: createTokenUse({ runtime, commands: { submitUserInput: users.submit } }) },
    roomQuery: query,
    syncQuery: readModel.syncQuery,
    appliedPositions: {
      waitFor: async (log, partition, sequence) => (waited.push(`${log} ${partition} ${sequence}`), true),
      vector: () => [],
      refresh: async () => undefined,
      onApplied: () => () => undefined,
      close: async () => undefined,
    },
    settings: { ...SETTINGS, ...options },
    ...(elsewhere.signedTransport && { signedTransport: elsewhere.signedTransport }),
  });
  const router = createRouter(routes, { runtime });

  async function call(method: string, path: string, { token, body, address = '127.0.0.1' }: { token?: string; body?: unknown; address?: string } = {}): Promise<Answer> {
    const [pathOnly = '', queryString = ''] = path.split('?');
    const response = await gathered(await router.dispatch({
      method, path: pathOnly, queryString, remoteAddress: address, departure: new Departure(),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }),
    }));
    const text = response.json === undefined ? undefined : Buffer.from(response.json).toString();
    const isJson = (response.headers?.['content-type'] ?? 'application/json').startsWith('application/json');
    return { status: response.status, body: text === undefined ? response.body : isJson ? JSON.parse(text) : text, headers: response.headers ?? {} };
  }

  return {
    runtime, users, rooms, roomQuery: query, userQuery: accounts, syncQuery: readModel.syncQuery, userDatabase, roomDatabase, router, call, state, waited,
    async register(name) {
      const { status, body } = await call('POST', '/_matrix/client/v3/register', { body: { username: name, password: PASSWORD, auth: { type: 'm.login.dummy' } } });
      if (status !== 200) throw new Error(`${name} cannot register: ${JSON.stringify(body)}`);
      return { userId: body.user_id, deviceId: body.device_id, token: body.access_token };
    },
    events: async (roomId) => (await query.currentState(roomId)).sort((a, b) => (a.orderKey ?? 0) - (b.orderKey ?? 0)),
    userOutputs: () => users.outputs.map(({ record }) => userOutputCodec.decode(record)),
    async profilesSpread() {
      for (let turn = 0; turn < 500 && (await userDatabase.query('SELECT user_id FROM profile_changes')).length > 0; turn += 1) await runtime.advance(50);
    },
    async close() {
      await spreader.stop();
      await userDatabase.close();
      await roomDatabase.close();
      await readModel.close();
    },
  };
}
