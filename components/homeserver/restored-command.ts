/** `myelin restored`: what an operator runs after a backup was put back, before the server is started. */
import { existsSync, readFileSync } from 'node:fs';
import { createClock } from '../../pkg/runtime/real/clock.ts';
import { loadSettings } from './config/load-settings.ts';
import { migrateAll } from './migrate-all.ts';
import { openDatabases } from './open.ts';
import { passOverRestored } from './restore/restored.ts';

const USAGE = `myelin restored [settings]
To be run once after the databases were put back from a backup, and before the server is started with them. It takes the settings that the server is started with.
One-time keys that may have been claimed since the backup was made are given to nobody any more, and clients upload new ones; the tokens that clients have stay good.
Exit code: 0 done, 2 the command cannot be understood.
`;

/** Resolves with the exit code. Rejects with `SettingsError` (usage) or `StorageError`. */
export async function afterRestore(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const settings = loadSettings({ env: process.env, args, readFile: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined) });
  const databases = await openDatabases(settings);
  try {
    const nowMs = createClock().now();
    await migrateAll(databases, nowMs);
    const devices = await passOverRestored(databases, nowMs);
    process.stdout.write(`done: ${devices} devices have to upload new one-time keys, and do so when they sync\n`);
    return 0;
  } finally {
    await Promise.all(Object.values(databases).map((database) => database.close()));
  }
}
