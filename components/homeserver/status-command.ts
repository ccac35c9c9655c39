/** `myelin status`: asks the server that listens where the settings say, or reads its tables when nothing answers there. Makes and changes nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { createClock } from '../../pkg/runtime/real/clock.ts';
import { StorageError } from '../../pkg/storage/database.ts';
import type { Settings } from '../../schemas/config/settings.ts';
import { loadSettings } from './config/load-settings.ts';
import { collectStatus, type StatusReaders } from './status/collect.ts';
import { renderStatus } from './status/render.ts';
import { STATUS_PATH } from './status/route.ts';
import type { Status } from './status/status.ts';

const USAGE = `myelin status [--json] [settings]
Shows who owns which partitions and how far every consumer is: as a table, or as JSON. It takes the settings that the server was started with.
Exit code: 0 all is well, 1 something is wrong, 2 the command cannot be understood.
`;

const ANSWER_MS_MAX = 5_000;
const COMPONENTS = ['roomserver', 'userapi', 'syncapi', 'federationapi'] as const;

/** Resolves with the exit code. Rejects with `SettingsError` (usage), or with what kept it from looking. */
export async function showStatus(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const settings = loadSettings({ env: process.env, args: args.filter((arg) => arg !== '--json'), readFile });
  const status = (await askServer(settings)) ?? (await readTables(settings));
  process.stdout.write(args.includes('--json') ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status));
  return status.healthy ? 0 : 1;
}

function readFile(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** undefined when nothing answers there, or another server, or one that does not think that we are on its machine. */
async function askServer({ listen, serverName }: Settings): Promise<Status | undefined> {
  if (listen.port === 0) return undefined;
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  try {
    const status = JSON.parse(await textAt({ host, port: listen.port, path: STATUS_PATH })) as Partial<Status>;
    return status.serverName === serverName && status.consumers !== undefined ? (status as Status) : undefined;
  } catch {
    return undefined;
  }
}

function textAt(where: { host: string; port: number; path: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ ...where, agent: false, signal: AbortSignal.timeout(ANSWER_MS_MAX) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => (response.statusCode === 200 ? resolve(Buffer.concat(chunks).toString()) : reject(new Error(`status ${response.statusCode}`))));
    });
    request.on('error', reject);
  });
}

async function readTables(settings: Settings): Promise<Status> {
  const { serverName, partitions, log } = settings;
  const { readers, nowMs, close } = settings.database.kind === 'postgres' ? await postgresReaders(settings.database.url) : await sqliteReaders(settings.dataDir);
  try {
    return await collectStatus({ serverName, source: 'database', readers, nowMs, partitions, embedded: log.kind === 'embedded' ? { running: undefined } : undefined });
  } finally {
    await close();
  }
}

interface Opened {
  readonly readers: StatusReaders;
  readonly nowMs: number;
  readonly close: () => Promise<void>;
}

const NEVER_STARTED = 'nothing answers and there are no tables: no server has been started with these settings yet';

async function sqliteReaders(dataDir: string): Promise<Opened> {
  const { openSqliteReader } = await import('../../pkg/storage/sqlite/open-reader.ts');
  const opened = COMPONENTS.map((component) => [component, openSqliteReader({ path: join(dataDir, `${component}.db`) })] as const);
  const close = async () => opened.forEach(([, reader]) => reader?.close());
  if (opened.some(([, reader]) => reader === undefined)) {
    await close();
    throw new StorageError('unavailable', NEVER_STARTED);
  }
  return { readers: Object.fromEntries(opened) as unknown as StatusReaders, nowMs: createClock().now(), close };
}

async function postgresReaders(url: string): Promise<Opened> {
  const { openPostgres } = await import('../../pkg/storage/postgres/open.ts');
  // This schema is always there, so that opening it makes none.
  const catalog = await openPostgres({ url, schema: 'pg_catalog', poolSize: 1 });
  const opened = [catalog];
  const close = async () => void (await Promise.all(opened.map((database) => database.close())));
  try {
    const schemas = await catalog.query<{ nspname: string }>('SELECT CAST(nspname AS TEXT) AS nspname FROM pg_namespace');
    if (COMPONENTS.some((component) => !schemas.some((schema) => schema.nspname === component))) throw new StorageError('unavailable', NEVER_STARTED);
    const nowMs = await catalog.transaction((tx) => tx.nowMs(0));
    for (const schema of COMPONENTS) opened.push(await openPostgres({ url, schema, poolSize: 1 }));
    const [roomserver, userapi, syncapi, federationapi] = opened.slice(1);
    return { readers: { roomserver, userapi, syncapi, federationapi } as StatusReaders, nowMs, close };
  } catch (error) {
    await close();
    throw error;
  }
}
