/** The tables that the federationapi owns. */
import type { Migration } from '../../../pkg/storage/database.ts';

/**
 * - `server_keys`: every key of another server that was ever seen, for the signatures of old events. `valid_until`: up to when it counts; `retired`: 1 for a key that its
 *   owner has stopped using, then at `valid_until`.
 * - `server_key_documents`: the last document of each server as it was received (JSON), for handing on as a notary.
 */
export const federationapiMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'server keys',
    statements: [
      `CREATE TABLE server_keys (server_name TEXT NOT NULL, key_id TEXT NOT NULL, public_key BLOB NOT NULL, valid_until BIGINT NOT NULL,
         retired INTEGER NOT NULL, fetched_at BIGINT NOT NULL, PRIMARY KEY (server_name, key_id))`,
      `CREATE TABLE server_key_documents (server_name TEXT NOT NULL PRIMARY KEY, document BLOB NOT NULL, valid_until BIGINT NOT NULL,
         fetched_at BIGINT NOT NULL)`,
    ],
  },
];
