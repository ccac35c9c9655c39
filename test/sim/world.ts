/**
 * A whole Myelin in one Node process under virtual time: two processes of owners (roomserver, userapi) and two of readers and writers (syncapi, clientapi), sharing
 * databases and a faulty log. Everything random comes from the seed: one seed, one trace.
 */
import { createHash, type Hash } from 'node:crypto';
import { wire, type Databases, type Homeserver } from '../../components/homeserver/wire.ts';
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { createRouter, type Router } from '../../pkg/http/router.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { Role } from '../../schemas/config/settings.ts';
import { faultyDatabase } from './faulty-database.ts';
import { FaultyLog } from './faulty-log.ts';
import { drawFaults, NO_FAULTS, type FaultRates } from './faults.ts';
import { SimProcess } from './process.ts';
import { Scheduler } from './scheduler.ts';
import { Seeded } from './seeded.ts';

export const SIM_SERVER_NAME = 'sim.test';
export const SIM_PARTITIONS = 4;
const START_MS = 1_700_000_000_000;
const CLIENT_PATIENCE_MS = 45_000;

export interface SimResponse {
  /** 0: no answer came. */
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Node {
  readonly process: SimProcess;
  readonly roles: readonly Role[];
  server: Homeserver | undefined;
  router: Router | undefined;
}

const PROCESSES: readonly { name: string; roles: readonly Role[] }[] = [
  { name: 'owner-1', roles: ['roomserver', 'userapi'] },
  { name: 'owner-2', roles: ['roomserver', 'userapi'] },
  { name: 'front-1', roles: ['syncapi', 'clientapi'] },
  { name: 'front-2', roles: ['syncapi', 'clientapi'] },
];

export class World {
  readonly random: Seeded;
  readonly scheduler: Scheduler;
  readonly rates: FaultRates;
  readonly violations: string[] = [];
  readonly counts = { crashes: 0, requests: 0, unanswered: 0 };
  databases!: Databases;
  #log!: FaultyLog;
  #faults: FaultRates;
  #healed = false;
  #starts = 0;
  readonly #nodes = new Map<string, Node>();
  readonly #hash: Hash = createHash('sha256');
  readonly #print: ((line: string) => void) | undefined;

  constructor(seed: number, options: { print?: (line: string) => void } = {}) {
    this.random = new Seeded(seed);
    this.#print = options.print;
    this.rates = drawFaults(this.random);
    this.#faults = this.rates;
    this.scheduler = new Scheduler(START_MS, (at, label) => this.note(at, label));
  }

  note(at: number, label: string): void {
    const line = `${(at - START_MS).toFixed(3)} ${label}`;
    this.#hash.update(line);
    this.#print?.(line);
  }

  traceHash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  async open(): Promise<void> {
    this.databases = {
      roomserver: await openSqlite({ path: ':memory:' }), userapi: await openSqlite({ path: ':memory:' }), syncapi: await openSqlite({ path: ':memory:' }),
      federationapi: await openSqlite({ path: ':memory:' }),
    };
    await migrateAll(this.databases, START_MS);
    this.#log = new FaultyLog({ scheduler: this.scheduler, random: this.random, faults: () => this.#faults });
    for (const { name, roles } of PROCESSES) this.startProcess(name, roles);
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.values()) node.process.alive = false;
    for (const database of Object.values(this.databases)) await database.close();
  }

  /** Ends all faults; what is dead comes back, what is paused wakes by itself. */
  heal(): void {
    this.#healed = true;
    this.#faults = NO_FAULTS;
  }

  faults(): FaultRates {
    return this.#faults;
  }

  startProcess(name: string, roles: readonly Role[], databases: Databases = this.databases): void {
    this.#starts += 1;
    const { scheduler, random } = this;
    const process = new SimProcess({
      name: `${name}#${this.#starts}`, scheduler, random,
      faults: () => this.#faults,
      killed: () => {
        this.counts.crashes += 1;
        scheduler.after(this.#healed ? 10 : random.between(50, 8000), `restart ${name}`, () => this.startProcess(name, roles, databases));
      },
      taskDied: (task, error) => void this.violations.push(`task ${task} died: ${error instanceof Error ? error.stack : String(error)}`),
      log: (level, fields, message) => {
        if (level !== 'debug') this.#print?.(`    ${level} ${message} ${describe(fields)}`);
        // What goes wrong in these worlds is the world's fault, which is a warning; an error is a bug, also one that heals by itself.
        if (level === 'error') this.violations.push(`error in the log of ${name}: ${message} ${describe(fields)}`);
      },
    });
    const node: Node = { process, roles, server: undefined, router: undefined };
    this.#nodes.set(name, node);
    void this.#boot(node, databases).catch((error: unknown) => {
      this.#print?.(`    ${process.name} did not start: ${String(error)}`);
      process.kill();
    });
  }

  async #boot(node: Node, shared: Databases): Promise<void> {
    const { process, roles } = node;
    const { scheduler, random } = this;
    const faults = (): FaultRates => this.#faults;
    const faulty = (name: keyof Databases) => faultyDatabase({ name, shared: shared[name], process, scheduler, random, faults });
    node.server = await wire({
      settings: { serverName: SIM_SERVER_NAME, roles, partitions: SIM_PARTITIONS, registration: 'open', registrationToken: '', rateLimits: false, defaultRoomVersion: '12', publicBaseUrl: 'http://sim.test' },
      runtime: process.runtime,
      databases: { roomserver: faulty('roomserver'), userapi: faulty('userapi'), syncapi: faulty('syncapi'), federationapi: faulty('federationapi') },
      driver: this.#log.driver(process),
      signingKey: signingKeyFromSeed('sim', new Uint8Array(32).fill(7)),
      exclusive: false,
    });
    await node.server.start();
    node.router = createRouter(node.server.routes, { runtime: process.runtime });
  }

  /** A client's request, to any front that runs. The client gives up after a while; the answer may be lost on the way. */
  request(method: string, path: string, options: { token?: string; body?: unknown } = {}): Promise<SimResponse> {
    this.counts.requests += 1;
    const { scheduler, random } = this;
    const fronts = [...this.#nodes.values()].filter((node) => node.router !== undefined && node.process.alive && node.roles.includes('clientapi'));
    return new Promise((resolve) => {
      const settle = (response: SimResponse): void => {
        patience.cancelled = true;
        if (response.status === 0) this.counts.unanswered += 1;
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
        method, path: pathOnly, queryString, remoteAddress: '192.0.2.1', signal: new AbortController().signal,
        headers: { ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }), 'content-type': 'application/json' },
        ...(options.body === undefined ? {} : { body: Buffer.from(JSON.stringify(options.body)) }),
      };
      void process.step(`${method} ${pathOnly}`).then(() => router!.dispatch(raw)).then((response) => process.step(`answer ${method} ${pathOnly}`).then(() => {
        if (random.chance(this.#faults.responseLost)) return;
        const body = response.json !== undefined ? JSON.parse(Buffer.from(response.json).toString()) : response.body ?? {};
        if (response.status === 500) this.violations.push(`500 for ${method} ${pathOnly}: ${JSON.stringify(body)}`);
        settle({ status: response.status, body: body as Record<string, unknown> });
      }));
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.scheduler.after(ms, 'client sleeps', resolve));
  }
}

function describe(fields: object): string {
  return JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? `${value.name}: ${value.message}` : value)).slice(0, 400);
}
