/** The whole server in one process, as the program wires it, over databases in memory and the embedded log. Requests go through the router. */
import { migrateAll } from '../../../components/homeserver/migrate-all.ts';
import { wire, type WireOptions } from '../../../components/homeserver/wire.ts';
import { Departure } from '../../../pkg/http/departure.ts';
import { createRouter } from '../../../pkg/http/router.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { createEmbeddedDriver } from '../../../pkg/log/embedded/driver.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { createRuntime } from '../../../pkg/runtime/real/runtime.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';
import type { AppserviceRegistration } from '../../../schemas/config/appservice.ts';
import { ROLES } from '../../../schemas/config/settings.ts';

export const SERVER = 'spec.example';
export const PASSWORD = 'correct horse battery';
/** Of the application service that bridges to the network `irc`. */
export const APPSERVICE_TOKEN = 'bridge-token';
export const CLIENT = '/_matrix/client/v3';

const DISCOVERY: WireOptions['settings']['discovery'] = {
  identityServer: 'https://identity.spec.example', clientFields: { 'org.example.tea': { kettle: true } },
  supportContacts: [{ role: 'm.role.admin', matrix_id: '@alice:spec.example', email_address: 'alice@spec.example' }], supportPage: 'https://spec.example/help',
};

const IRC_BRIDGE: AppserviceRegistration = {
  id: 'irc', url: null, asToken: APPSERVICE_TOKEN, hsToken: 'server-token', senderLocalpart: 'ircbot', isRateLimited: false, protocols: ['irc'], receivesEphemeral: false,
  namespaces: { users: [], aliases: [], rooms: [] },
};

export interface Call {
  readonly method: string;
  /** Percent-encoded, with its query. */
  readonly path: string;
  readonly token?: string | undefined;
  /** Value of the Authorization header, where it is no token. */
  readonly authorization?: string | undefined;
  /** A value is sent as JSON, bytes as they are. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  // Tests look into bodies freely.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Account {
  readonly userId: string;
  readonly deviceId: string;
  readonly token: string;
}

export interface World {
  readonly routes: readonly Route[];
  call(call: Call): Promise<Answer>;
  /** `path` below /_matrix/client/v3. Throws when the answer is not 200; its body otherwise. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  ask(account: Account, method: string, path: string, body?: unknown): Promise<any>;
  register(name: string): Promise<Account>;
  /** Makes the account an administrator of the server. */
  makeAdmin(account: Account): Promise<void>;
  close(): Promise<void>;
}

export async function createWorld(settings: Partial<WireOptions['settings']> = {}, more: Pick<WireOptions, 'transport'> = {}): Promise<World> {
  const runtime = createRuntime({ logger: quiet });
  const databases = { roomserver: await memory(), userapi: await memory(), syncapi: await memory(), federationapi: await memory() };
  await migrateAll(databases, runtime.clock.now());
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': databases.roomserver, 'user-input': databases.userapi }, runtime });
  const homeserver = await wire({
    settings: {
      serverName: SERVER, roles: ROLES, partitions: 4, registration: 'open', registrationToken: '', rateLimits: false, defaultRoomVersion: '12',
      publicBaseUrl: 'https://matrix.spec.example', discovery: DISCOVERY, presence: { roomMembersMax: 200 }, ...settings,
    },
    runtime, databases, driver, signingKey: signingKeyFromSeed('1', new Uint8Array(32).fill(9)), exclusive: true, appservices: [IRC_BRIDGE], ...more,
  });
  await homeserver.start();
  const router = createRouter(homeserver.routes, { runtime });

  async function call({ method, path, token, authorization, body }: Call): Promise<Answer> {
    const [pathOnly = '', queryString = ''] = path.split('?');
    const bytes = body instanceof Uint8Array ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const response = await router.dispatch({
      method, path: pathOnly, queryString, target: path, remoteAddress: '127.0.0.1', departure: new Departure(),
      headers: token === undefined ? { authorization } : { authorization: `Bearer ${token}` },
      ...(bytes !== undefined && { body: bytes }),
    });
    const json = response.json === undefined ? undefined : Buffer.from(response.json).toString();
    return { status: response.status, body: json === undefined ? response.body : JSON.parse(json), headers: response.headers ?? {} };
  }

  async function okBody(wanted: Call): Promise<Answer['body']> {
    const { status, body } = await call(wanted);
    if (status !== 200) throw new Error(`${wanted.method} ${wanted.path} answered ${status} ${JSON.stringify(body)}`);
    return body;
  }

  return {
    routes: homeserver.routes,
    call,
    ask: ({ token }, method, path, body) => okBody({ method, path: CLIENT + path, token, body }),
    async register(name) {
      const body = await okBody({ method: 'POST', path: `${CLIENT}/register`, body: { username: name, password: PASSWORD, auth: { type: 'm.login.dummy' } } });
      return { userId: body.user_id, deviceId: body.device_id, token: body.access_token };
    },
    async makeAdmin({ userId }) {
      await homeserver.accounts.commands.submitUserInput({ inputId: '', traceId: '', ts: runtime.clock.now(), userId, setAccountFlag: { flag: 'admin', isSet: true } });
    },
    async close() {
      await homeserver.stop();
      await driver.close();
      await Promise.all(Object.values(databases).map((database) => database.close()));
    },
  };
}

function memory(): ReturnType<typeof openSqlite> {
  return openSqlite({ path: ':memory:' });
}

/** A server that logs an error has failed, whatever it answers: it ends the test's process. */
const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (fields, message) => {
    throw new Error(`the server logged an error: ${message}`, { cause: fields });
  },
  child: () => quiet,
};
