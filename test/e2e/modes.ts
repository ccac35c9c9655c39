/** The ways in which Myelin runs, each started for real: one process on every log and database, and one process a role behind a front. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROLES, type Role } from '../../schemas/config/settings.ts';
import { createDatabase, dropDatabase } from '../kit/servers/postgres.ts';
import { freePort, startProgram, type Program } from './program.ts';

export interface RunningMode {
  readonly baseUrl: string;
  /** The data folder. */
  readonly folder: string;
  readonly programs: readonly Program[];
  /** kill -9 of every process, one after the other, each started again. */
  killEverything(): Promise<void>;
  stop(): Promise<void>;
}

export interface Mode {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  readonly missing: string | undefined;
  readonly isOneProcess: boolean;
  start(settings?: Readonly<Record<string, string>>): Promise<RunningMode>;
}

const { MYELIN_TEST_POSTGRES_URL: postgres, MYELIN_TEST_NATS_URL: nats, MYELIN_TEST_KAFKA_BROKERS: kafka } = process.env;

/** What a new server's database is a copy of, instead of being empty. */
export interface FilledWith {
  /** Copies the files of a data folder on SQLite into a new one. */
  readonly fill?: (dataDir: string) => void;
  /** Name of a database of the PostgreSQL. */
  readonly template?: string;
}

/** All modes; those whose servers are not there say so in `missing`. */
export function modes(filled: FilledWith = {}): Mode[] {
  return [
    oneProcess('embedded+SQLite', { log: 'embedded', postgres: false, filled }),
    oneProcess('embedded+PostgreSQL', { log: 'embedded', postgres: true, filled }),
    oneProcess('NATS+PostgreSQL', { log: natsLog(), postgres: true, filled }),
    oneProcess('Kafka+PostgreSQL', { log: kafkaLog(), postgres: true, filled }),
    processPerRole('NATS+PostgreSQL, one process a role', natsLog(), filled),
    processPerRole('Kafka+PostgreSQL, one process a role', kafkaLog(), filled),
  ];
}

function natsLog(): string | undefined {
  return nats === undefined || nats.startsWith('nats://') ? nats : `nats://${nats}`;
}

function kafkaLog(): string | undefined {
  return kafka === undefined ? undefined : `kafka://${kafka}`;
}

function oneProcess(name: string, on: { log: string | undefined; postgres: boolean; filled: FilledWith }): Mode {
  return {
    name, isOneProcess: true,
    missing: on.postgres && postgres === undefined ? 'PostgreSQL' : on.log === undefined ? 'its broker' : undefined,
    async start(settings = {}) {
      const place = await makePlace(on.postgres ? postgres : undefined, on.filled);
      const program = await startProgram({ port: await freePort(), env: { ...place.env, MYELIN_LOG: on.log!, ...settings } });
      return {
        baseUrl: program.baseUrl, folder: place.folder, programs: [program],
        killEverything: () => program.killAndRestart(),
        stop: async () => {
          await program.stop();
          await place.remove();
        },
      };
    },
  };
}

function processPerRole(name: string, log: string | undefined, filled: FilledWith): Mode {
  return behindFront(name, log, ROLES.map((role) => [role]), filled);
}

/** One instance of each role and two, as processes that run all roles and as processes of one role each: what more instances cost. */
export function instanceModes(): { readonly log: string; readonly of: string; readonly one: Mode; readonly two: Mode }[] {
  const all = [[...ROLES]];
  const single = ROLES.map((role) => [role]);
  return [['NATS', natsLog()], ['Kafka', kafkaLog()]].flatMap(([log, url]) => [['all roles a process', all] as const, ['one role a process', single] as const].map(([of, processes]) => ({
    log: log!, of, one: behindFront(`${log}+PostgreSQL, ${of}, one of each`, url, processes), two: behindFront(`${log}+PostgreSQL, ${of}, two of each`, url, [...processes, ...processes]),
  })));
}

/** `processes`: the roles of each. */
function behindFront(name: string, log: string | undefined, processes: readonly (readonly Role[])[], filled: FilledWith = {}): Mode {
  return {
    name, isOneProcess: false,
    missing: postgres === undefined ? 'PostgreSQL' : log === undefined ? 'its broker' : frontMissing(),
    async start(settings = {}) {
      const place = await makePlace(postgres, filled);
      const programs: Program[] = [];
      for (const roles of processes) programs.push(await startProgram({ port: await freePort(), env: { ...place.env, MYELIN_LOG: log!, ...settings }, args: ['--roles', roles.join(',')], hasOwnSession: true }));
      const at = (role: Role): string => programs.filter((_, index) => processes[index]!.includes(role)).map(({ baseUrl }) => new URL(baseUrl).host).join(',');
      const front = await startFront(place.folder, { clientapi: at('clientapi'), syncapi: at('syncapi'), federationapi: at('federationapi') });
      return {
        baseUrl: front.baseUrl, folder: place.folder, programs,
        killEverything: async () => {
          for (const program of programs) await program.killAndRestart();
        },
        stop: async () => {
          await front.stop();
          await Promise.all(programs.map((program) => program.stop()));
          await place.remove();
        },
      };
    },
  };
}

/** A data folder of its own and, on the PostgreSQL at `postgres`, a database of its own. */
export async function makePlace(postgres: string | undefined, { fill, template }: FilledWith = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-e2e-'));
  const env: Record<string, string> = { MYELIN_DATA_DIR: folder, MYELIN_LOG_PREFIX: `e2e_${randomBytes(6).toString('hex')}`, MYELIN_SERVER_NAME: 'e2e.test', MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_RATE_LIMITS: 'off' };
  if (postgres === undefined) fill?.(folder);
  if (postgres === undefined) return { folder, env, remove: async () => rmSync(folder, { recursive: true, force: true }) };
  const url = await createDatabase(postgres, `e2e_${randomBytes(6).toString('hex')}`, template);
  return {
    folder,
    env: { ...env, MYELIN_DATABASE: url },
    remove: async () => {
      rmSync(folder, { recursive: true, force: true });
      await dropDatabase(url);
    },
  };
}

export function frontMissing(): string | undefined {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'nginx';
  }
}

/** A real nginx with the configuration that the program itself writes; `upstreams`: host:port,host:port of each role. */
export async function startFront(folder: string, upstreams: Readonly<Record<string, string>>) {
  const { nginxFrontOfRoutes } = await import('./front-config.ts');
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${join(folder, name)};`).join('\n');
  writeFileSync(file, `daemon off;\nworker_processes 1;\npid ${join(folder, 'nginx.pid')};\nerror_log stderr crit;\n${process.getuid?.() === 0 ? 'user root;\n' : ''}events { worker_connections 4096; }\nhttp {\naccess_log off;\n${temporary}\n${await nginxFrontOfRoutes(`127.0.0.1:${port}`, upstreams)}}\n`);
  const child = spawn('nginx', ['-c', file, '-p', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const baseUrl = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await fetch(`${baseUrl}/_matrix/client/versions`).catch(() => undefined))?.ok === true) break;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const stop = async (): Promise<void> => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  };
  return { baseUrl, stop };
}
