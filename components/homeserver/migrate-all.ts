import { logMigrations } from '../../pkg/log/tables.ts';
import type { Migration } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { federationapiMigrations } from '../federationapi/index.ts';
import { roomserverMigrations } from '../roomserver/index.ts';
import { syncapiMigrations } from '../syncapi/index.ts';
import { userapiMigrations } from '../userapi/index.ts';
import type { Databases } from './wire.ts';

const MIGRATIONS: { readonly [component in keyof Databases]: readonly Migration[] } = {
  roomserver: roomserverMigrations,
  userapi: userapiMigrations,
  syncapi: syncapiMigrations,
  federationapi: federationapiMigrations,
};

/** Brings every component's tables up to this version of the program; safe when several processes do it at once. */
export async function migrateAll(databases: Databases, nowMs: number): Promise<void> {
  await Promise.all(Object.entries(MIGRATIONS).map(async ([component, migrations]) => {
    const database = databases[component as keyof Databases];
    await migrate(database, 'log', logMigrations, nowMs);
    await migrate(database, component, migrations, nowMs);
  }));
}
