/** The userapi's read-only answers, over its tables; for any process that reaches the shared database. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatheredReads } from '../../../pkg/storage/gathered-reads.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';
import { readStatuses } from '../presence/presence-status.ts';
import { keyQuery } from '../keys/key-query.ts';
import { accountQuery } from './account-query.ts';
import { keyBackupQuery } from '../key-backup/key-backup-query.ts';
import { toDeviceQuery } from '../to-device/to-device-query.ts';
import { sessionQuery } from './session-query.ts';

type RequesterRow = { token_hash: Uint8Array; user_id: string; device_id: string; kind: string; admin: number; locked: number; suspended: number; accepted_terms: string; expires_at: number; is_new: number };
type SecretRow = { password_hash: string; deactivated: number };
type FieldRow = { field: string | null; value: Uint8Array | null };

const text = new TextDecoder();

const REQUESTERS = `SELECT t.token_hash AS token_hash, t.user_id AS user_id, t.device_id AS device_id, a.kind AS kind, a.admin AS admin, a.locked AS locked,
    a.suspended AS suspended, a.accepted_terms AS accepted_terms, t.expires_at AS expires_at, t.is_new AS is_new
  FROM access_tokens t JOIN accounts a ON a.user_id = t.user_id WHERE a.deactivated = 0 AND t.token_hash IN (??)`;

/** Reads what is committed. Rejects with `StorageError` when the database cannot answer. */
export function userQuery(database: Reader, clock: Clock): UserQuery {
  const requester = gatheredReads<RequesterRow>({ read: (tokenHashes) => database.queryIn(REQUESTERS, [], tokenHashes), keyOf: (row) => row.token_hash, clock });
  return {
    ...accountQuery(database),
    ...sessionQuery(database),
    ...keyQuery(database),
    ...toDeviceQuery(database),
    ...keyBackupQuery(database),

    async requesterByToken(tokenHash) {
      const row = await requester(tokenHash);
      return row && {
        userId: row.user_id, deviceId: row.device_id, isGuest: row.kind === 'guest', isAdmin: row.admin !== 0, isLocked: row.locked !== 0, isSuspended: row.suspended !== 0,
        acceptedTerms: row.accepted_terms, ...((row.expires_at !== 0 || row.is_new !== 0) && { token: { expiresMs: row.expires_at, isNew: row.is_new !== 0 } }),
      };
    },

    async loginSecret(userId) {
      const [row] = await database.query<SecretRow>('SELECT password_hash, deactivated FROM accounts WHERE user_id = ?', [userId]);
      return row && { userId, passwordHash: row.password_hash, deactivated: row.deactivated !== 0 };
    },

    async hasDevice(userId, deviceId) {
      const rows = await database.query('SELECT device_id FROM devices WHERE user_id = ? AND device_id = ? AND removed = 0', [userId, deviceId]);
      return rows.length > 0;
    },

    async userExists(userId) {
      const rows = await database.query('SELECT user_id FROM accounts WHERE user_id = ?', [userId]);
      return rows.length > 0;
    },

    async presenceStatus(userId) {
      return (await readStatuses(database, [userId])).get(userId) ?? '';
    },

    async profile(userId) {
      const rows = await database.query<FieldRow>(
        `SELECT p.field AS field, p.value AS value FROM accounts a LEFT JOIN profiles p ON p.user_id = a.user_id
         WHERE a.user_id = ? ORDER BY p.field`, [userId]);
      if (rows.length === 0) return undefined;
      const present = rows.filter((row) => row.field !== null && row.value !== null && row.value.length > 0);
      return Object.fromEntries(present.map((row) => [row.field, JSON.parse(text.decode(row.value!))]));
    },

    async accountData(userId, roomId, type) {
      const [row] = await database.query<{ content: Uint8Array }>('SELECT content FROM account_data WHERE user_id = ? AND room_id = ? AND type = ?', [userId, roomId, type]);
      return row && text.decode(row.content);
    },

    async noticeRoom(userId) {
      const [row] = await database.query<{ room_id: string }>('SELECT room_id FROM notice_rooms WHERE user_id = ?', [userId]);
      return row?.room_id;
    },

    async filter(userId, filterId) {
      const [row] = await database.query<{ definition: Uint8Array }>('SELECT definition FROM filters WHERE user_id = ? AND filter_id = ?', [userId, filterId]);
      return row && { filterId, definition: row.definition };
    },
  };
}
