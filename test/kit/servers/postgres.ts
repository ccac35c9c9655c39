/** PostgreSQL for tests: a cluster of its own in a temporary folder, from whatever PostgreSQL is installed. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { findProgram, freePort, makeServerFolder, startServerProcess, type RunningServer, type UnixUser } from './server-process.ts';

export interface RunningPostgres extends RunningServer {
  /** `postgres://...` of an empty database, as a superuser. */
  readonly url: string;
}

export interface PostgresOptions {
  /** Gives up durability for speed. Never in a test that kills the server, never in a benchmark. */
  readonly fast?: boolean;
  /** Files of a cluster that was stopped or backed up: a copy of it is started instead of an empty one. */
  readonly from?: string;
}

const DEBIAN_ROOT = '/usr/lib/postgresql';
const FAST_SETTINGS = ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'];

/** Why PostgreSQL cannot be started here, or undefined when it can. */
export function available(): string | undefined {
  if (!binFolder()) return 'PostgreSQL is not installed (no initdb on PATH or below /usr/lib/postgresql)';
  if (isRoot() && !serverUser()) return 'PostgreSQL refuses to run as root, and there is no user named postgres';
  return undefined;
}

/** Starts a new cluster: an empty one (1-2 s) with one database in it, or a copy of another. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const missing = available();
  const bin = binFolder();
  if (missing !== undefined || !bin) throw new Error(missing);
  const user = isRoot() ? serverUser() : undefined;
  const folder = makeServerFolder('postgres', user);
  const data = join(folder, 'data');
  try {
    if (options.from === undefined) execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'myelin', '--auth=trust', '--no-locale', '-E', 'UTF8', '--no-sync'], { cwd: folder, stdio: 'pipe', ...user });
    else copyCluster(options.from, data, user);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const port = await freePort();
  const server = await startServerProcess({
    name: 'PostgreSQL',
    folder,
    command: join(bin, 'postgres'),
    args: ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=300',
      '-c', 'logging_collector=off', '-c', 'log_destination=stderr', ...(options.fast ? FAST_SETTINGS : [])],
    ready: /database system is ready to accept connections/,
    user,
    // SIGINT is PostgreSQL's "fast" shutdown: SIGTERM would wait for its clients to go.
    stopSignal: 'SIGINT',
  });
  try {
    if (options.from === undefined) await createDatabase(databaseUrl(port, 'postgres'), 'myelin');
  } catch (error) {
    await server.stop();
    throw error;
  }
  return Object.assign(server, { url: databaseUrl(port, 'myelin') });
}

function copyCluster(from: string, data: string, user: UnixUser | undefined): void {
  execFileSync('cp', ['-a', '--reflink=auto', from, data]);
  if (user !== undefined) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, data]);
  chmodSync(data, 0o700);
}

/** Copies the files of the running cluster that `url` leads to into an empty folder; `startPostgres({ from })` starts with them. */
export function backUpPostgres(url: string, folder: string): void {
  const { hostname, port, username } = new URL(url);
  execFileSync(join(binFolder()!, 'pg_basebackup'), ['-D', folder, '-h', hostname, '-p', port, '-U', username, '-X', 'stream', '--checkpoint=fast', '--no-sync'], { stdio: 'pipe' });
}

/** Creates a database beside the one that `url` names and returns its URL: how suites that share a server keep apart. `template`: the database that it is a copy of, instead of being empty. */
export async function createDatabase(url: string, name: string, template?: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)} STRATEGY FILE_COPY`}`);
  } finally {
    await client.end();
  }
  const created = new URL(url);
  created.pathname = `/${name}`;
  return created.href;
}

/** Drops a database made by `createDatabase`, also when somebody is still connected to it. */
export async function dropDatabase(url: string): Promise<void> {
  const target = new URL(url);
  const name = target.pathname.slice(1);
  target.pathname = '/postgres';
  const client = new pg.Client({ connectionString: target.href });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

function databaseUrl(port: number, name: string): string {
  return `postgres://myelin@127.0.0.1:${port}/${name}`;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function serverUser(): UnixUser | undefined {
  try {
    const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { stdio: 'pipe' }).toString());
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** The folder of initdb and postgres: the newest version below Debian's folder, else what is on PATH. */
function binFolder(): string | undefined {
  if (existsSync(DEBIAN_ROOT)) {
    const versions = readdirSync(DEBIAN_ROOT).filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
    const found = versions.map((version) => join(DEBIAN_ROOT, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
    if (found) return found;
  }
  const initdb = findProgram('initdb');
  return initdb && existsSync(join(dirname(initdb), 'postgres')) ? dirname(initdb) : undefined;
}
