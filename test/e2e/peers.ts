/** Homeservers that federate, each started for real: Myelin and Synapse behind one face. Their names are `localhost:port`, their certificates are of one authority that only they trust. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, type Authority } from '../kit/certificates.ts';
import { startFederationProxy } from '../kit/federation-proxy.ts';
import { freePort } from '../kit/servers/server-process.ts';
import * as synapse from '../kit/servers/synapse.ts';
import type { Mode } from './modes.ts';
import { startProgram, type Program } from './program.ts';

export type Software = 'Myelin' | 'Synapse';

export interface Peer {
  readonly software: Software;
  readonly serverName: string;
  /** Its client API, without TLS. */
  readonly baseUrl: string;
  /** Where its files are; gone after `stop`. */
  readonly folder: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** After `kill`: with its data and under its name. */
  restart(): Promise<void>;
  /** SIGSTOP: connections are taken and nothing is answered. */
  pause(): void;
  resume(): void;
  /** The end of its log, for a failure's message. */
  recentLog(): string;
  stop(): Promise<void>;
  /** The process of a Myelin. */
  readonly pid?: number;
  /** All processes that run now. */
  readonly pids: readonly number[];
  /** Of a Myelin: kill -9 of one of its processes, which is then started again. Resolves with where it listens. */
  killOne?(): Promise<string>;
  /** Of a Myelin of several processes: where they listen. */
  readonly instances?: readonly string[];
}

export interface PeerOptions {
  /** The port in its name when something that speaks TLS stands before it. */
  readonly publicPort?: number;
  /** Registration files of application services (YAML). */
  readonly appservices?: readonly string[];
  /** Of a Synapse: whether it tells of presence; a Myelin does. */
  readonly presence?: boolean;
  /** URL of an empty database for a Synapse; SQLite when it is not said. */
  readonly postgres?: string;
  /** How a Myelin runs; one process with everything when it is not said. */
  readonly mode?: Mode;
  /** That a Myelin which is one process in that mode speaks TLS itself, and not something before it. */
  readonly ownTls?: boolean;
  /** More settings of a Myelin. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What all servers of one test share. */
export interface Neighbourhood {
  readonly authority: Authority;
  start(software: Software, options?: PeerOptions): Promise<Peer>;
  /** Stops all that were started here. */
  stop(): Promise<void>;
}

/** Why a server of this software cannot be started here: to be a test's `skip`. */
export function peerMissing(...softwares: readonly Software[]): string | false {
  return softwares.includes('Synapse') ? synapse.available() ?? false : false;
}

export function neighbourhood(): Neighbourhood {
  const authority = createAuthority();
  const peers: Peer[] = [];
  return {
    authority,
    async start(software, options = {}) {
      const peer = await (software === 'Synapse' ? startSynapse(authority, options) : options.mode === undefined ? startMyelin(authority, options) : startMode(authority, options.mode, options));
      peers.push(peer);
      return peer;
    },
    stop: async () => void (await Promise.all(peers.map((peer) => peer.stop()))),
  };
}

async function startSynapse(authority: Authority, options: PeerOptions): Promise<Peer> {
  const server = await synapse.startSynapse({ authority, ...options });
  const { serverName, baseUrl, folder } = server;
  return {
    software: 'Synapse', serverName, baseUrl, folder,
    get pids() {
      return server.pid === undefined ? [] : [server.pid];
    },
    kill: () => server.kill(), restart: () => server.restart(), pause: () => server.pause(), resume: () => server.resume(), recentLog: () => server.recentLog(), stop: () => server.stop(),
  };
}

/** One process with its own TLS listener. */
async function startMyelin(authority: Authority, { publicPort, appservices = [], env = {} }: PeerOptions): Promise<Peer> {
  const folder = makeFolder(authority, appservices);
  const [port, tlsPort] = [await freePort(), publicPort ?? await freePort()];
  const serverName = `localhost:${tlsPort}`;
  const tls = publicPort === undefined ? tlsSettings(folder, tlsPort) : {};
  const program = await startProgram({ port, env: { ...settings(folder, serverName), MYELIN_DATA_DIR: join(folder, 'data'), ...tls, ...env } });
  return {
    software: 'Myelin', serverName, baseUrl: program.baseUrl, folder,
    get pid() {
      return program.pid;
    },
    get pids() {
      return [program.pid];
    },
    kill: () => program.kill(),
    async killOne() {
      await program.killAndRestart();
      return program.baseUrl;
    },
    restart: async () => void (await program.restart()),
    pause: () => program.signal('SIGSTOP'),
    resume: () => program.signal('SIGCONT'),
    recentLog: () => endOf(program),
    async stop() {
      program.signal('SIGCONT');
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One process or several behind a front, and before that something that speaks TLS. */
async function startMode(authority: Authority, mode: Mode, { appservices = [], env = {}, ownTls = false }: PeerOptions): Promise<Peer> {
  const folder = makeFolder(authority, appservices);
  const proxy = ownTls && mode.isOneProcess ? undefined : await startFederationProxy(authority);
  const tlsPort = proxy?.port ?? await freePort();
  const serverName = `localhost:${tlsPort}`;
  const running = await mode.start({ ...settings(folder, serverName), ...(proxy === undefined ? tlsSettings(folder, tlsPort) : {}), ...env });
  proxy?.standBefore(running.baseUrl);
  const signal = (name: NodeJS.Signals): void => running.programs.forEach((program) => program.signal(name));
  return {
    software: 'Myelin', serverName, baseUrl: running.baseUrl, folder,
    get pids() {
      return running.programs.map(({ pid }) => pid);
    },
    kill: async () => void (await Promise.all(running.programs.map((program) => program.kill()))),
    async killOne() {
      const program = running.programs[0]!;
      await program.killAndRestart();
      return program.baseUrl;
    },
    instances: running.programs.map((program) => program.baseUrl),
    restart: async () => void (await Promise.all(running.programs.map((program) => program.restart()))),
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    recentLog: () => running.programs.map((program) => endOf(program)).join('\n'),
    async stop() {
      signal('SIGCONT');
      await running.stop();
      await proxy?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const endOf = (program: Program): string => program.output().split('\n').slice(-60).join('\n');

function makeFolder(authority: Authority, appservices: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-peer-'));
  const { cert, key } = authority.issue(['localhost']);
  const files = { 'server.pem': cert, 'server.key': key, 'authority.pem': authority.cert };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  mkdirSync(join(folder, 'appservices'));
  appservices.forEach((content, index) => writeFileSync(join(folder, 'appservices', `${index}.yaml`), content));
  return folder;
}

function tlsSettings(folder: string, port: number): Record<string, string> {
  return { MYELIN_TLS_LISTEN: `127.0.0.1:${port}`, MYELIN_TLS_CERTIFICATE: join(folder, 'server.pem'), MYELIN_TLS_KEY: join(folder, 'server.key') };
}

function settings(folder: string, serverName: string): Record<string, string> {
  return {
    MYELIN_SERVER_NAME: serverName, MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_RATE_LIMITS: 'off', MYELIN_LOG_FORMAT: 'json', MYELIN_APPSERVICE_DIR: join(folder, 'appservices'),
    MYELIN_FEDERATION_CA_FILES: join(folder, 'authority.pem'), MYELIN_FEDERATION_IP_ALLOWED: '127.0.0.1,::1',
  };
}
