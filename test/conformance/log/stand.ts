/** Fresh data for a toy component: its log and its database. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedPostgres } from '../../kit/servers/shared.ts';
import type { CounterSettings } from './counter/component.ts';
import { makeAddress, type DriverName } from './harness.ts';

export interface Stand {
  readonly settings: CounterSettings;
  release(): Promise<void>;
}

/** A SQLite file for the embedded driver, a PostgreSQL database for brokers. */
export async function makeStand(name: DriverName): Promise<Stand> {
  const place = await makeAddress(name);
  const address = { ...place.address, partitions: 8 };
  if (name === 'embedded') {
    const folder = mkdtempSync(join(tmpdir(), 'myelin-counter-'));
    return {
      settings: { address, database: join(folder, 'counter.db') },
      release: async () => {
        rmSync(folder, { recursive: true, force: true });
        await place.release();
      },
    };
  }
  const shared = await sharedPostgres();
  return {
    settings: { address, database: shared.address },
    release: async () => {
      await shared.release();
      await place.release();
    },
  };
}
