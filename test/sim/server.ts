/** One homeserver of a world: processes of owners (roomserver, userapi) and of readers and writers (syncapi, clientapi), sharing databases and a faulty log. */
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { wire, type Databases, type Homeserver, type WireOptions } from '../../components/homeserver/wire.ts';
import type { FederationTransport } from '../../pkg/federation/transport.ts';
import { Departure } from '../../pkg/http/departure.ts';
import { createRouter, type RawRequest, type Router } from '../../pkg/http/router.ts';
import type { ApiResponse } from '../../pkg/http/route.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { Role } from '../../schemas/config/settings.ts';
import { faultyDatabase } from './faulty-database.ts';
import { FaultyLog } from './faulty-log.ts';
import { SimProcess } from './process.ts';
import type { World } from './world.ts';

export const SIM_PARTITIONS = 4;
const CLIENT_PATIENCE_MS = 45_000;

export interface SimServerOptions {
  readonly name: string;
  /** The byte that its signing key's seed is made of. */
  readonly keySeed: number;
  /** Goes before the names of its processes, where there are several servers. */
  readonly prefix?: string;
  /** The way of one of its processes to other servers; without, it serves none. */
  readonly transport?: (process: SimProcess) => FederationTransport;
  readonly settings?: Partial<WireOptions['settings']>;
}

export interface SimResponse {
  /** 0: no answer came. */
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Node {
  readonly process: SimProcess;
  readonly roles: readonly Role[];
  /** Called when the process dies: what it would have answered never comes. */
  readonly cut: Set<() => void>;
  server: Homeserver | undefined;
  router: Router | undefined;
}

const PROCESSES: readonly { name: string; roles: readonly Role[] }[] = [
  { name: 'owner-1', roles: ['roomserver', 'userapi'] },
  { name: 'owner-2', roles: ['roomserver', 'userapi'] },
  { name: 'front-1', roles: ['syncapi', 'clientapi'] },
  { name: 'front-2', roles: ['syncapi', 'clientapi'] },
];

export class SimServer {
  readonly name: string;
  readonly world: World;
  databases!: Databases;
  /** Needs of this server that were answered by what other servers could not do, as its log says. */
  readonly unfulfilled = new Set<string>();
  #log!: FaultyLog;
  #starts = 0;
  readonly #options: SimServerOptions;
  readonly #nodes = new Map<string, Node>();

  constructor(world: World, options: SimServerOptions) {
    this.world = world;
    this.name = options.name;
    this.#options = options;
  }

  async open(): Promise<void> {
    const { scheduler, random } = this.world;
    this.databases = {
      roomserver: await openSqlite({ path: ':memory:' }), userapi: await openSqlite({ path: ':memory:' }), syncapi: await openSqlite({ path: ':memory:' }),
      federationapi: await openSqlite({ path: ':memory:' }),
    };
    await migrateAll(this.databases, scheduler.now);
    this.#log = new FaultyLog({ scheduler, random, faults: () => this.world.faults() });
    const federates = this.#options.transport !== undefined;
    for (const { name, roles } of PROCESSES) this.startProcess(name, federates && roles.includes('clientapi') ? [...roles, 'federationapi'] : roles);
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.values()) node.process.end();
    for (const database of Object.values(this.databases)) await database.close();
  }

  startProcess(name: string, roles: readonly Role[], databases: Databases = this.databases): void {
    this.#starts += 1;
    const { world } = this;
    const { scheduler, random } = world;
    const cut = new Set<() => void>();
    const process = new SimProcess({
      name: `${this.#options.prefix ?? ''}${name}#${this.#starts}`, scheduler, random,
      faults: () => world.faults(),
      killed: () => {
        world.counts.crashes += 1;
        scheduler.after(world.healed ? 10 : random.between(50, 8000), `restart ${name}`, () => this.startProcess(name, roles, databases));
        for (const end of cut) end();
      },
      taskDied: (task, error) => void world.violations.push(`task ${task} died: ${error instanceof Error ? error.stack : String(error)}`),
      log: (level, fields, message) => {
        if (level !== 'debug') world.print?.(`    ${this.#options.prefix ?? ''}${level} ${message} ${describe(fields)}`);
        if (message === 'a need could not be fulfilled') this.unfulfilled.add((fields as { needId: string }).needId);
        // What goes wrong in these worlds is the world's fault, which is a warning; an error is a bug, also one that heals by itself.
        if (level === 'error') world.violations.push(`error in the log of ${name}: ${message} ${describe(fields)}`);
      },
    });
    const node: Node = { process, roles, cut, server: undefined, router: undefined };
    this.#nodes.set(name, node);
    void this.#boot(node, databases).catch((error: unknown) => {
      world.print?.(`    ${process.name} did not start: ${String(error)}`);
      process.kill();
    });
  }

  async #boot(node: Node, shared: Databases): Promise<void> {
    const { process, roles } = node;
    const { scheduler, random } = this.world;
    const { transport, settings, name, keySeed } = this.#options;
    const faulty = (component: keyof Databases) => faultyDatabase({ name: component, shared: shared[component], process, scheduler, random, faults: () => this.world.faults() });
    node.server = await wire({
      settings: {
        serverName: name, roles, partitions: SIM_PARTITIONS, registration: 'open', registrationToken: '', rateLimits: false, defaultRoomVersion: '12', publicBaseUrl: `http://${name}`, presence: { roomMembersMax: 200 }, ...settings,
      },
      runtime: process.runtime,
      databases: { roomserver: faulty('roomserver'), userapi: faulty('userapi'), syncapi: faulty('syncapi'), federationapi: faulty('federationapi') },
      driver: this.#log.driver(process),
      signingKey: signingKeyFromSeed('sim', new Uint8Array(32).fill(keySeed)),
      ...(transport === undefined ? {} : { transport: transport(process) }),
      exclusive: false,
    });
    await node.server.start();
    node.router = createRouter(node.server.routes, { runtime: process.runtime });
  }

  #fronts(role: Role): Node[] {
    return [...this.#nodes.values()].filter((node) => node.router !== undefined && node.process.alive && node.roles.includes(role));
  }

  /** A client's request, to any front that runs. The client gives up after a while; the answer may be lost on the way. */
  request(method: string, path: string, options: { token?: string; body?: unknown } = {}): Promise<SimResponse> {
    const { world } = this;
    const { scheduler, random } = world;
    world.counts.requests += 1;
    const fronts = this.#fronts('clientapi');
    return new Promise((resolve) => {
      const settle = (response: SimResponse): void => {
        patience.cancelled = true;
        if (response.status === 0) world.counts.unanswered += 1;
        resolve(response);
      };
      const patience = scheduler.after(CLIENT_PATIENCE_MS, 'client gives up', () => settle({ status: 0, body: {} }));
      if (fronts.length === 0) {
        scheduler.after(200, 'no front', () => settle({ status: 0, body: {} }));
        return;
      }
      const { router, process } = random.pick(fronts);
      const [pathOnly = '', queryString = ''] = path.split('?');
      const raw = {
        method, path: pathOnly, queryString, remoteAddress: '192.0.2.1', departure: new Departure(),
        headers: { ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }), 'content-type': 'application/json' },
        ...(options.body === undefined ? {} : { body: Buffer.from(JSON.stringify(options.body)) }),
      };
      void process.step(`${method} ${pathOnly}`).then(() => router!.dispatch(raw)).then((response) => process.step(`answer ${method} ${pathOnly}`).then(() => {
        if (random.chance(world.faults().responseLost)) return;
        const body = response.json !== undefined ? JSON.parse(Buffer.from(response.json).toString()) : response.body ?? {};
        if (response.status === 500) world.violations.push(`500 for ${method} ${pathOnly}: ${JSON.stringify(body)}`);
        settle({ status: response.status, body: body as Record<string, unknown> });
      }));
    });
  }

  /** Another server's request, to any front that runs; undefined when none does, or when it dies before it has answered. */
  receive(raw: RawRequest): Promise<ApiResponse | undefined> {
    const { world } = this;
    const fronts = this.#fronts('federationapi');
    if (fronts.length === 0) return Promise.resolve(undefined);
    const { router, process, cut } = world.random.pick(fronts);
    const label = `${raw.method} ${raw.path}`;
    return new Promise((resolve) => {
      const end = (): void => resolve(undefined);
      cut.add(end);
      void process.step(label).then(() => router!.dispatch(raw)).then((response) => process.step(`answer ${label}`).then(() => {
        cut.delete(end);
        if (response.status === 500) world.violations.push(`500 for ${label}: ${JSON.stringify(response.body)}`);
        resolve(response);
      }));
    });
  }
}

function describe(fields: object): string {
  return JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? `${value.name}: ${value.message}` : value)).slice(0, 400);
}
