/**
 * Databases that hold many events before anything is measured (`--seeded`). Filled once and kept below `.cache`, under a name that tells what they were made by; each server that is measured gets a copy. On
 * PostgreSQL the whole cluster is kept: the benchmark starts a copy of it, and each server's database is made with the filled one as its template.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatSigningKeyFile, SEED_BYTES } from '../../pkg/matrix/signing/signing-key.ts';
import { backUpPostgres, createDatabase, startPostgres } from '../../test/kit/servers/postgres.ts';
import type { CopySettings } from './copy-here.ts';
import type { FillSettings } from './fill-here.ts';
import { roomsOf } from './rooms-wish.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const KEPT = join(ROOT, '.cache', 'bench-seeded');
/** What decides what is in the tables. */
const MADE_BY = ['components/*/storage/migrations.ts', 'pkg/log/tables.ts', 'bench/replay/make-history.ts', 'bench/seed/{fill-here,make-rooms,rooms-wish}.ts'];

/** In the cluster that `seededCluster` keeps. */
export const SEEDED_DATABASE = 'seeded';

/** A data folder of SQLite files with so many events; to be copied, not used. */
export function seededFolder(events: number): Promise<string> {
  return kept(`sqlite-${events}`, (folder) => runHere('fill-here.ts', { database: { kind: 'sqlite' }, dataDir: folder, ...roomsOf(events) } satisfies FillSettings));
}

/** The files of a PostgreSQL cluster with the rows of `seededFolder` in its database `seeded`; to be copied, not used. */
export async function seededCluster(events: number): Promise<string> {
  const from = await seededFolder(events);
  return kept(`postgres-${events}`, async (folder) => {
    const server = await startPostgres({ fast: true });
    try {
      const url = await createDatabase(server.url, SEEDED_DATABASE);
      await runHere('copy-here.ts', { from, url } satisfies CopySettings);
      // As it would have done by itself in the time that so many events take to come.
      const { Client } = (await import('pg')).default;
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query('VACUUM ANALYZE');
      await client.end();
      backUpPostgres(server.url, folder);
    } finally {
      await server.stop();
    }
  });
}

async function kept(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(KEPT, `${name}-${schemaKey()}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  console.log(`filling ${name}, which is kept in ${folder} …`);
  await make(unfinished);
  renameSync(unfinished, folder);
  return folder;
}

function schemaKey(): string {
  const hash = createHash('sha256');
  for (const file of MADE_BY.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort()) hash.update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, 12);
}

async function runHere(program: string, settings: object): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'inherit'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const [code] = (await once(child, 'close')) as [number | null];
  process.off('exit', kill);
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}

/** Makes the data folder of a new server of the files of `seededFolder`; it gets a key of its own, without which it would not start on databases that are there. */
export function fillDataFolder(seeded: string, dataDir: string): void {
  mkdirSync(dataDir, { recursive: true });
  execFileSync('cp', ['-a', '--reflink=auto', `${seeded}/.`, dataDir]);
  writeFileSync(join(dataDir, 'signing.key'), formatSigningKeyFile('seeded', randomBytes(SEED_BYTES)), { mode: 0o600 });
}
