/** The tables that the userapi owns: accounts and what belongs to them. */
import type { Migration } from '../../../pkg/storage/database.ts';

/**
 * Rows that stand for output records carry the partition and the sequence number of their last one, so that a read model can be rebuilt
 * from here (`query/snapshot.ts`). Removed devices and profile fields stay as marked rows for the same reason.
 *
 * - `accounts`: `password_hash` is scrypt as a PHC string. `kind`: user or guest. `admin`: 1 for administrators of this server.
 *   `locked`, `suspended`: 1 while it is. `accepted_terms`: JSON object, policy ID to version; empty: none.
 * - `devices`: `dehydrated`: JSON object, of the user's dehydrated device (MSC3814) what it is made of again; null for the others.
 * - `deactivations`: accounts that are over. `room_sequences`: JSON list, what of room-output was applied when the erasure was asked for. `finished_at`: 0 while the user may be in rooms.
 * - `registration_tokens`: `uses_allowed` and `expires_at` 0: without bound. `registration_token_uses`: accounts that were made by a token, or may be until `reserved_until`.
 * - `access_tokens`: by SHA-256, with the refresh token that came with each. A device has one, and beside it those (`is_new`) that came of refreshing it and of which none was used yet; all of
 *   them have one `family_hash`, which is in every refresh token of the session. `expires_at` is 0 for those that do not expire.
 * - `issued_tokens`: what is good for a short while, by SHA-256. `purpose`: login or openid.
 * - `uia_sessions`: sessions of user-interactive authentication of which some stages are completed; `stages` is a JSON array.
 * - `profiles`: one row per field; `value` is a JSON value, empty when the field was removed.
 * - `account_data`: `room_id` is empty for global data; `content` is a JSON object.
 * - `profile_changes`: users whose rooms have not all heard of their new name or picture; `mark` is the sequence number of the change.
 * - `reports`: what users have reported to the administrators: a user, a room, or an event in it.
 * - `presence_status`: the text that users have set beside their presence; who has set none has no row.
 * - `notice_rooms`: the room in which the server speaks to the user.
 * - `device_keys`: identity keys, JSON. Of users of other servers too, while their device lists are known; only theirs have a `display_name` here.
 * - `one_time_keys`: `name` is the JSON list of user, device, algorithm and key ID. `position`: when it was uploaded. Claimed ones stay for a while, so that none is taken in again.
 * - `fallback_keys`: what is given out when no one-time key is left. `cross_signing_keys`: `usage` is master, self_signing or user_signing.
 * - `key_signatures`: by `user_id`, of a key of `target_user`: `target_key` is a device ID or a public key.
 * - `device_lists`: users whose devices or keys have changed. `stream_id`: of the last change of a device, as servers count it (here: its sequence number). `is_fresh`: 0 for users of other
 *   servers whose devices have to be asked for again.
 * - `device_key_counts`: what others can still claim of a device, as it was told last.
 * - `filters`: `filter_id` comes from the definition, so rows never change.
 * - `to_device`: messages for devices that they have not acknowledged yet; `sequence` is that of the output record which told of them. `event`: JSON text as clients get it; null where it is one for several
 *   devices, and stands once in `to_device_shared` under `shared`.
 * - `key_backups`: versions of a user's backup of room keys. `etag` counts its changes. A deleted one stays, emptied, until the next is made, so that no number comes twice.
 * - `key_backup_keys`: encrypted room keys in backups; `session_data` is a JSON object.
 */
export const userapiMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'accounts',
    statements: [
      `CREATE TABLE accounts (user_id TEXT NOT NULL PRIMARY KEY, password_hash TEXT NOT NULL, kind TEXT NOT NULL,
         deactivated INTEGER NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE devices (user_id TEXT NOT NULL, device_id TEXT NOT NULL, display_name TEXT NOT NULL, removed INTEGER NOT NULL,
         created_at BIGINT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (user_id, device_id))`,
      `CREATE INDEX devices_by_sequence ON devices (partition, sequence)`,
      `CREATE TABLE access_tokens (token_hash BLOB NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, device_id TEXT NOT NULL,
         created_at BIGINT NOT NULL)`,
      `CREATE UNIQUE INDEX access_tokens_by_device ON access_tokens (user_id, device_id)`,
      `CREATE TABLE profiles (user_id TEXT NOT NULL, field TEXT NOT NULL, value BLOB NOT NULL, partition BIGINT NOT NULL,
         sequence BIGINT NOT NULL, PRIMARY KEY (user_id, field))`,
      `CREATE INDEX profiles_by_sequence ON profiles (partition, sequence)`,
      `CREATE TABLE account_data (user_id TEXT NOT NULL, room_id TEXT NOT NULL, type TEXT NOT NULL, content BLOB NOT NULL,
         partition BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (user_id, room_id, type))`,
      `CREATE INDEX account_data_by_sequence ON account_data (partition, sequence)`,
      `CREATE TABLE filters (user_id TEXT NOT NULL, filter_id TEXT NOT NULL, definition BLOB NOT NULL, created_at BIGINT NOT NULL,
         PRIMARY KEY (user_id, filter_id))`,
    ],
  },
  { number: 2, name: 'administrators', statements: ['ALTER TABLE accounts ADD COLUMN admin INTEGER NOT NULL DEFAULT 0'] },
  {
    number: 3,
    name: 'sessions',
    statements: [
      'DROP INDEX access_tokens_by_device',
      'CREATE INDEX access_tokens_of_device ON access_tokens (user_id, device_id)',
      'ALTER TABLE access_tokens ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0',
      'ALTER TABLE access_tokens ADD COLUMN is_new INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE access_tokens ADD COLUMN family_hash BLOB',
      'ALTER TABLE access_tokens ADD COLUMN refresh_hash BLOB',
      'ALTER TABLE access_tokens ADD COLUMN refresh_expires_at BIGINT NOT NULL DEFAULT 0',
      'CREATE INDEX access_tokens_by_family ON access_tokens (family_hash) WHERE family_hash IS NOT NULL',
      'ALTER TABLE devices ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0',
      `ALTER TABLE devices ADD COLUMN seen_ip TEXT NOT NULL DEFAULT ''`,
      `CREATE TABLE issued_tokens (token_hash BLOB NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, purpose TEXT NOT NULL, expires_at BIGINT NOT NULL,
         partition BIGINT NOT NULL)`,
      'CREATE INDEX issued_tokens_of_user ON issued_tokens (user_id, purpose)',
      'CREATE INDEX issued_tokens_by_expiry ON issued_tokens (partition, expires_at)',
      `CREATE TABLE uia_sessions (session TEXT NOT NULL PRIMARY KEY, stages TEXT NOT NULL, used_up INTEGER NOT NULL, expires_at BIGINT NOT NULL,
         partition BIGINT NOT NULL)`,
      'CREATE INDEX uia_sessions_by_expiry ON uia_sessions (partition, expires_at)',
    ],
  },
  {
    number: 4,
    name: 'lives of accounts',
    statements: [
      'ALTER TABLE accounts ADD COLUMN locked INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE accounts ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0',
      `ALTER TABLE accounts ADD COLUMN accepted_terms TEXT NOT NULL DEFAULT ''`,
      `CREATE TABLE deactivations (user_id TEXT NOT NULL PRIMARY KEY, partition BIGINT NOT NULL, sequence BIGINT NOT NULL, erased INTEGER NOT NULL,
         room_sequences TEXT NOT NULL, created_at BIGINT NOT NULL, finished_at BIGINT NOT NULL)`,
      'CREATE INDEX deactivations_by_sequence ON deactivations (partition, sequence)',
      'CREATE INDEX deactivations_unfinished ON deactivations (partition, created_at) WHERE finished_at = 0',
      `CREATE TABLE registration_tokens (token TEXT NOT NULL PRIMARY KEY, uses_allowed BIGINT NOT NULL, expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE registration_token_uses (token TEXT NOT NULL, user_id TEXT NOT NULL, reserved_until BIGINT NOT NULL, PRIMARY KEY (token, user_id))`,
    ],
  },
  { number: 5, name: 'rooms of notices', statements: ['CREATE TABLE notice_rooms (user_id TEXT NOT NULL PRIMARY KEY, room_id TEXT NOT NULL)'] },
  { number: 6, name: 'reserved registration tokens', statements: ['CREATE INDEX registration_token_uses_by_user ON registration_token_uses (user_id)'] },
  {
    number: 7,
    name: 'changes of profiles, reports',
    statements: [
      'CREATE TABLE profile_changes (user_id TEXT NOT NULL PRIMARY KEY, partition BIGINT NOT NULL, mark BIGINT NOT NULL, created_at BIGINT NOT NULL)',
      'CREATE INDEX profile_changes_by_partition ON profile_changes (partition)',
      `CREATE TABLE reports (report_id TEXT NOT NULL PRIMARY KEY, reporter TEXT NOT NULL, room_id TEXT NOT NULL, event_id TEXT NOT NULL, reported_user TEXT NOT NULL,
         reason TEXT NOT NULL, received_at BIGINT NOT NULL)`,
      'CREATE INDEX reports_by_reporter ON reports (reporter, received_at)',
      'CREATE INDEX reports_by_time ON reports (received_at)',
    ],
  },
  { number: 8, name: 'texts beside presence', statements: ['CREATE TABLE presence_status (user_id TEXT NOT NULL PRIMARY KEY, status_msg TEXT NOT NULL)'] },
  {
    number: 9,
    name: 'messages to devices, key backups',
    statements: [
      `CREATE TABLE to_device (user_id TEXT NOT NULL, device_id TEXT NOT NULL, sequence BIGINT NOT NULL, partition BIGINT NOT NULL, event BLOB, shared BIGINT,
         PRIMARY KEY (user_id, device_id, sequence))`,
      'CREATE INDEX to_device_of_shared ON to_device (partition, sequence, shared) WHERE shared IS NOT NULL',
      `CREATE TABLE to_device_shared (partition BIGINT NOT NULL, sequence BIGINT NOT NULL, shared BIGINT NOT NULL, event BLOB NOT NULL, PRIMARY KEY (partition, sequence, shared))`,
      `CREATE TABLE key_backups (user_id TEXT NOT NULL, version BIGINT NOT NULL, algorithm TEXT NOT NULL, auth_data BLOB NOT NULL, etag BIGINT NOT NULL, keys BIGINT NOT NULL,
         deleted INTEGER NOT NULL, PRIMARY KEY (user_id, version))`,
      `CREATE TABLE key_backup_keys (user_id TEXT NOT NULL, version BIGINT NOT NULL, room_id TEXT NOT NULL, session_id TEXT NOT NULL, is_verified INTEGER NOT NULL,
         first_message_index BIGINT NOT NULL, forwarded_count BIGINT NOT NULL, session_data BLOB NOT NULL, PRIMARY KEY (user_id, version, room_id, session_id))`,
    ],
  },
  {
    number: 10,
    name: 'keys of end-to-end encryption',
    statements: [
      `CREATE TABLE device_keys (user_id TEXT NOT NULL, device_id TEXT NOT NULL, keys TEXT NOT NULL, display_name TEXT NOT NULL, PRIMARY KEY (user_id, device_id))`,
      `CREATE TABLE one_time_keys (name TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, device_id TEXT NOT NULL, algorithm TEXT NOT NULL, key_id TEXT NOT NULL, key TEXT NOT NULL,
         position BIGINT NOT NULL, claimed INTEGER NOT NULL)`,
      'CREATE INDEX one_time_keys_in_order ON one_time_keys (user_id, device_id, algorithm, claimed, position, key_id)',
      `CREATE TABLE fallback_keys (user_id TEXT NOT NULL, device_id TEXT NOT NULL, algorithm TEXT NOT NULL, key_id TEXT NOT NULL, key TEXT NOT NULL, used INTEGER NOT NULL,
         PRIMARY KEY (user_id, device_id, algorithm))`,
      'CREATE TABLE cross_signing_keys (user_id TEXT NOT NULL, usage TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (user_id, usage))',
      `CREATE TABLE key_signatures (target_user TEXT NOT NULL, target_key TEXT NOT NULL, user_id TEXT NOT NULL, signing_key TEXT NOT NULL, signature TEXT NOT NULL,
         PRIMARY KEY (target_user, target_key, user_id, signing_key))`,
      'CREATE INDEX key_signatures_of_user ON key_signatures (user_id)',
      `CREATE TABLE device_lists (user_id TEXT NOT NULL PRIMARY KEY, stream_id BIGINT NOT NULL, is_fresh INTEGER NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL)`,
      'CREATE INDEX device_lists_by_sequence ON device_lists (partition, sequence)',
      'CREATE INDEX device_lists_stale ON device_lists (partition, user_id) WHERE is_fresh = 0',
      `CREATE TABLE device_key_counts (user_id TEXT NOT NULL, device_id TEXT NOT NULL, counts TEXT NOT NULL, unused_fallbacks TEXT NOT NULL, partition BIGINT NOT NULL,
         sequence BIGINT NOT NULL, PRIMARY KEY (user_id, device_id))`,
      'CREATE INDEX device_key_counts_by_sequence ON device_key_counts (partition, sequence)',
    ],
  },
  { number: 11, name: 'backed up keys by session', statements: ['CREATE INDEX key_backup_keys_by_session ON key_backup_keys (user_id, version, session_id)'] },
  { number: 12, name: 'dehydrated devices', statements: ['ALTER TABLE devices ADD COLUMN dehydrated BLOB'] },
];
