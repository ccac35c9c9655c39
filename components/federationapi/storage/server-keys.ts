/** Keys of other servers in the tables. */
import type { ServerKey, ServerKeyDocument, ServerKeys } from '../../../pkg/federation/server-keys.ts';
import type { Database, SqlRow, Transaction } from '../../../pkg/storage/database.ts';

/** What is known of a server's keys: those of its last document and all earlier ones. */
export interface KnownKeys {
  readonly serverName: string;
  readonly keys: ReadonlyMap<string, ServerKey>;
  /** Of the last document. */
  readonly validUntilMs: number;
  readonly fetchedAtMs: number;
}

/** A server that changes its keys all the time loses its earliest ones. */
export const KEYS_KEPT_MAX = 500;

interface KeyRow extends SqlRow {
  readonly server_name: string;
  readonly key_id: string;
  readonly public_key: Uint8Array;
  readonly valid_until: number;
  readonly retired: number;
}

interface DocumentRow extends SqlRow {
  readonly server_name: string;
  readonly valid_until: number;
  readonly fetched_at: number;
}

/** By server name; servers of which nothing is known are left out. */
export async function readKeys(database: Database, serverNames: readonly string[]): Promise<Map<string, KnownKeys>> {
  const documents = await database.queryIn<DocumentRow>('SELECT server_name, valid_until, fetched_at FROM server_key_documents WHERE server_name IN (??)', [], serverNames);
  const rows = await database.queryIn<KeyRow>('SELECT server_name, key_id, public_key, valid_until, retired FROM server_keys WHERE server_name IN (??)', [], serverNames);
  const keys = new Map(documents.map((row) => [row.server_name, new Map<string, ServerKey>()]));
  for (const row of rows) {
    keys.get(row.server_name)?.set(row.key_id, { keyId: row.key_id, publicKey: row.public_key, validUntilMs: row.valid_until, old: row.retired === 1 });
  }
  return new Map(documents.map((row) => [row.server_name, {
    serverName: row.server_name, keys: keys.get(row.server_name) ?? new Map(), validUntilMs: row.valid_until, fetchedAtMs: row.fetched_at,
  }]));
}

/** The last documents of these servers, those that there are. */
export async function readDocuments(database: Database, serverNames: readonly string[]): Promise<ServerKeyDocument[]> {
  const rows = await database.queryIn<SqlRow & { document: Uint8Array }>('SELECT document FROM server_key_documents WHERE server_name IN (??) ORDER BY server_name', [], serverNames);
  return rows.map(({ document }) => JSON.parse(Buffer.from(document).toString('utf8')) as ServerKeyDocument);
}

/** Keeps what was fetched at `fetchedAtMs`; what another process has fetched later stays. */
export async function saveKeys(database: Database, fetched: readonly ServerKeys[], fetchedAtMs: number): Promise<void> {
  // In one order everywhere, so that two processes never wait for each other.
  const documents = [...fetched].sort((a, b) => (a.serverName < b.serverName ? -1 : 1));
  await database.transaction(async (tx) => {
    await tx.insertMany({
      into: 'server_key_documents', columns: ['server_name', 'document', 'valid_until', 'fetched_at'],
      rows: documents.map((one) => [one.serverName, Buffer.from(JSON.stringify(one.document)), one.validUntilMs, fetchedAtMs]),
      onConflict: `ON CONFLICT (server_name) DO UPDATE SET document = excluded.document, valid_until = excluded.valid_until, fetched_at = excluded.fetched_at
        WHERE server_key_documents.fetched_at <= excluded.fetched_at`,
    });
    await tx.insertMany({
      into: 'server_keys', columns: ['server_name', 'key_id', 'public_key', 'valid_until', 'retired', 'fetched_at'],
      rows: documents.flatMap((one) => [...one.keys.values()].map((key) => [one.serverName, key.keyId, key.publicKey, key.validUntilMs, key.old ? 1 : 0, fetchedAtMs])),
      onConflict: `ON CONFLICT (server_name, key_id) DO UPDATE SET public_key = excluded.public_key, valid_until = excluded.valid_until, retired = excluded.retired,
        fetched_at = excluded.fetched_at WHERE server_keys.fetched_at <= excluded.fetched_at`,
    });
    await forgetTooMany(tx, documents.map((one) => one.serverName), fetchedAtMs);
  });
}

async function forgetTooMany(tx: Transaction, serverNames: readonly string[], fetchedAtMs: number): Promise<void> {
  const counts = await tx.queryIn<SqlRow & { server_name: string; keys: number }>('SELECT server_name, COUNT(*) AS keys FROM server_keys WHERE server_name IN (??) GROUP BY server_name', [], serverNames);
  for (const { server_name, keys } of counts) {
    if (keys > KEYS_KEPT_MAX) await tx.run('DELETE FROM server_keys WHERE server_name = ? AND fetched_at < ?', [server_name, fetchedAtMs]);
  }
}
