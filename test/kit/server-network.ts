/** Whole Myelins in this process, on real time and files, that reach each other without a network; and peers that are functions. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { openDatabases, openDriver } from '../../components/homeserver/open.ts';
import { wire, type WireOptions } from '../../components/homeserver/wire.ts';
import { parseResponse } from '../../pkg/federation/parse-response.ts';
import { FederationError, requestTarget, type FederationRequest, type FederationTransport, type WebRequest } from '../../pkg/federation/transport.ts';
import { responseBytes } from '../../pkg/http/body.ts';
import { Departure } from '../../pkg/http/departure.ts';
import { createRouter } from '../../pkg/http/router.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import type { Clock } from '../../pkg/runtime/runtime.ts';
import type { Logger } from '../../pkg/telemetry/logger.ts';

// Bodies of answers are looked into freely by tests.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = any;

export interface NetworkServer {
  readonly name: string;
  /** A client's request; fails on a status other than `expected` (200). */
  call(method: string, path: string, options?: { token?: string; body?: unknown; expected?: number }): Promise<Body>;
  /** A new user's access token. */
  register(name: string): Promise<string>;
  /** The text of the last few messages of the room, the newest first. */
  messages(token: string, roomId: string): Promise<string[]>;
}

export interface ServerNetwork {
  /** `settings`: where they differ from those that all have. */
  add(name: string, settings?: Partial<WireOptions['settings']>): Promise<NetworkServer>;
  /** What other servers are besides: the body of an answer, or an error. */
  readonly peers: Map<string, (request: FederationRequest) => Promise<Record<string, unknown>> | Record<string, unknown>>;
  /** By host: what is in the web besides. */
  readonly web: Map<string, (request: WebRequest) => Record<string, unknown>>;
  /** Servers that cannot be reached for now. */
  readonly gone: Set<string>;
  close(): Promise<void>;
}

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
}

type Receive = (asked: Asked) => Promise<{ status: number; headers: Readonly<Record<string, string>>; body: Buffer }>;

/** `clock`: of all servers, instead of real time. `asked` is told of every request between servers that is carried. */
export function createServerNetwork(options: { clock?: Clock; asked?: (request: FederationRequest) => void } = {}): ServerNetwork {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-network-'));
  const receivers = new Map<string, Receive>();
  const peers: ServerNetwork['peers'] = new Map();
  const web: ServerNetwork['web'] = new Map();
  const gone = new Set<string>();
  const closing: (() => Promise<void>)[] = [];
  const transport: FederationTransport = {
    async web(request) {
      const site = web.get(request.url.host);
      if (site === undefined) throw new FederationError('unreachable', `${request.url.host} is not there`);
      return { status: 200, body: site(request) };
    },
    async request(request) {
      const peer = peers.get(request.destination);
      if (peer !== undefined) return { status: 200, body: await peer(request) };
      const receive = receivers.get(request.destination);
      if (receive === undefined || gone.has(request.destination)) throw new FederationError('unreachable', `${request.destination} is not there`);
      options.asked?.(request);
      const text = request.json ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
      const headers = { host: request.destination, ...(request.authorization !== undefined && { authorization: request.authorization }) };
      return parseResponse(await receive({ method: request.method, target: requestTarget(request), headers, text }), request.destination, request.answersInPair);
    },
  };
  return {
    peers, web, gone,
    async add(name, settings = {}) {
      const opened = await openServer({ name, dataDir: join(folder, name), transport, seed: receivers.size + 1, clock: options.clock, settings });
      receivers.set(name, opened.receive);
      closing.push(opened.close);
      return clientSide(name, opened.receive);
    },
    async close() {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Opening {
  readonly name: string;
  readonly dataDir: string;
  readonly transport: FederationTransport;
  readonly seed: number;
  readonly clock: Clock | undefined;
  readonly settings: Partial<WireOptions['settings']>;
}

async function openServer({ name, dataDir, transport, seed, clock, settings }: Opening): Promise<{ receive: Receive; close(): Promise<void> }> {
  const real = createRuntime({ logger: quiet(name) });
  const runtime = clock === undefined ? real : { ...real, clock };
  const databases = await openDatabases({ database: { kind: 'sqlite' }, dataDir } as Parameters<typeof openDatabases>[0]);
  await migrateAll(databases, runtime.clock.now());
  const driver = await openDriver({ log: { kind: 'embedded' }, logPrefix: '', partitions: 4 } as Parameters<typeof openDriver>[0], databases, runtime);
  const server = await wire({
    settings: { serverName: name, roles: ['roomserver', 'userapi', 'syncapi', 'clientapi', 'federationapi'], partitions: 4, registration: 'open', registrationToken: '', rateLimits: false, defaultRoomVersion: '12', publicBaseUrl: `https://${name}`, ...settings },
    runtime, databases, driver, transport, signingKey: signingKeyFromSeed('1', new Uint8Array(32).fill(seed)), exclusive: true,
  });
  await server.start();
  const router = createRouter(server.routes, { runtime });
  return {
    async receive({ method, target, headers, text }) {
      const [path = '', queryString = ''] = target.split('?');
      const response = await router.dispatch({
        method, path, queryString, remoteAddress: '192.0.2.1', departure: new Departure(),
        headers: { ...headers, ...(text !== undefined && { 'content-type': 'application/json' }) }, ...(text !== undefined && { body: Buffer.from(text) }),
      });
      return { status: response.status, headers: response.headers ?? {}, body: Buffer.from(responseBytes(response)) };
    },
    async close() {
      await server.stop();
      await driver.close();
      for (const database of Object.values(databases)) await database.close();
    },
  };
}

function clientSide(name: string, receive: Receive): NetworkServer {
  const call: NetworkServer['call'] = async (method, path, { token, body, expected = 200 } = {}) => {
    const { status, body: bytes } = await receive({
      method, target: path, headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, text: body === undefined ? undefined : JSON.stringify(body),
    });
    assert.equal(status, expected, `${name}: ${method} ${path}: ${bytes.toString()}`);
    return JSON.parse(bytes.toString()) as Body;
  };
  return {
    name, call,
    async register(user) {
      const body = { username: user, password: 'correct horse battery', auth: { type: 'm.login.dummy' } };
      return (await call('POST', '/_matrix/client/v3/register', { body }) as { access_token: string }).access_token;
    },
    async messages(token, roomId) {
      const { chunk } = await call('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100`, { token }) as { chunk: { type: string; content: { body: string } }[] };
      return chunk.filter(({ type }) => type === 'm.room.message').map(({ content }) => content.body);
    },
  };
}

/** What goes wrong is printed, where somebody wants to see it. */
function quiet(name: string): Logger {
  const print = (level: string) => (fields: object, message: string): void => {
    if (process.env['MYELIN_TEST_LOG'] !== undefined) console.error(name, level, message, fields);
  };
  const logger: Logger = { debug: () => undefined, info: print('info'), warn: print('warn'), error: print('error'), child: () => logger };
  return logger;
}
