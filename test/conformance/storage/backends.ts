/** The databases that every behaviour of this suite is checked on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe } from 'node:test';
import type { Database, StorageError } from '../../../pkg/storage/database.ts';
import { openPostgres } from '../../../pkg/storage/postgres/open.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { available } from '../../kit/servers/postgres.ts';
import { sharedPostgres, uniqueName, type Shared } from '../../kit/servers/shared.ts';

/** Where one database is, in a form that can be handed to another process. */
export type Place =
  | { readonly dialect: 'sqlite'; readonly path: string }
  | { readonly dialect: 'postgres'; readonly url: string; readonly schema: string };

export async function openPlace(place: Place): Promise<Database> {
  return place.dialect === 'sqlite' ? openSqlite({ path: place.path }) : openPostgres(place);
}

export interface Backend {
  readonly name: 'sqlite file' | 'sqlite memory' | 'postgres';
  /** A new, empty place. */
  place(): Place;
  /** Opens a place (a new one by default); it is closed after the test. */
  open(place?: Place): Promise<Database>;
}

/** Runs `body` once per database, in a group named after it. PostgreSQL is skipped, with the reason, where there is none. */
export function onEachBackend(behaviours: string, body: (backend: Backend) => void): void {
  onSqlite(behaviours, 'sqlite file', body);
  onSqlite(behaviours, 'sqlite memory', body);
  onPostgres(behaviours, body);
}

export function onSqlite(behaviours: string, name: 'sqlite file' | 'sqlite memory', body: (backend: Backend) => void): void {
  describe(`${behaviours}: ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'myelin-storage-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const place = (): Place => ({ dialect: 'sqlite', path: name === 'sqlite file' ? join(folder, `${uniqueName()}.db`) : ':memory:' });
    body(closing(name, place));
  });
}

export function onPostgres(behaviours: string, body: (backend: Backend) => void): void {
  describe(`${behaviours}: postgres`, { skip: whyNoPostgres() ?? false }, () => {
    let server: Shared<string> | undefined;
    before(async () => {
      server = await sharedPostgres();
    });
    after(async () => server?.release());
    body(closing('postgres', () => ({ dialect: 'postgres', url: (server as Shared<string>).address, schema: `s_${uniqueName()}` })));
  });
}

export function whyNoPostgres(): string | undefined {
  return process.env['MYELIN_TEST_POSTGRES_URL'] === undefined ? available() : undefined;
}

function closing(name: Backend['name'], place: () => Place): Backend {
  let opened: Database[] = [];
  afterEach(async () => {
    await Promise.all(opened.map((database) => database.close()));
    opened = [];
  });
  return {
    name,
    place,
    open: async (at = place()) => {
      const database = await openPlace(at);
      opened.push(database);
      return database;
    },
  };
}

/** For `assert.rejects`: a `StorageError` of this kind. */
export function ofKind(kind: StorageError['kind'], message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { name, kind: found, message: text } = error as StorageError;
    if (name === 'StorageError' && found === kind && (message === undefined || message.test(text))) return true;
    throw new Error(`expected a StorageError of kind ${kind}${message ? ` that says ${message}` : ''}`, { cause: error });
  };
}

/** A promise and the functions that settle it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
