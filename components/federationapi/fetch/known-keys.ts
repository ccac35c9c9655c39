/** What is known of other servers' keys: the tables, with what was used lately in memory. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import type { ServerKeys } from '../../../pkg/federation/server-keys.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { KEYS_KEPT_MAX, readKeys, saveKeys, type KnownKeys } from '../storage/server-keys.ts';

const KEYS_IN_MEMORY_MAX = 20_000;

export interface KnownKeyStore {
  /** From memory only: what was loaded or saved lately. */
  get(serverName: string): KnownKeys | undefined;
  /** Reads again what is in the tables of these servers: another process may have fetched it. Rejects with `StorageError`. */
  load(serverNames: readonly string[]): Promise<void>;
  /** Keeps what was fetched just now, beside the keys of earlier documents. Rejects with `StorageError`. */
  save(fetched: readonly ServerKeys[]): Promise<void>;
}

export function createKnownKeyStore(database: Database, clock: Clock): KnownKeyStore {
  const memory = createRecent<KnownKeys>(KEYS_IN_MEMORY_MAX, { weigh: (known) => 1 + known.keys.size });
  return {
    get: (serverName) => memory.get(serverName),
    async load(serverNames) {
      if (serverNames.length === 0) return;
      for (const [name, known] of await readKeys(database, serverNames)) {
        if (known.fetchedAtMs > (memory.get(name)?.fetchedAtMs ?? 0)) memory.set(name, known);
      }
    },
    async save(fetched) {
      if (fetched.length === 0) return;
      const fetchedAtMs = clock.now();
      await saveKeys(database, fetched, fetchedAtMs);
      for (const { serverName, keys, validUntilMs } of fetched) {
        const before = memory.get(serverName)?.keys;
        const all = before === undefined || before.size > KEYS_KEPT_MAX ? keys : new Map([...before, ...keys]);
        memory.set(serverName, { serverName, keys: all, validUntilMs, fetchedAtMs });
      }
    },
  };
}
