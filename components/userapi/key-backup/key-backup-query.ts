/** Key backups as they are stored. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { KeyBackupQuery } from '../../../schemas/ports/key-backup-query.ts';
import { versionNumber } from './backup-facts.ts';

type BackupRow = { version: number; algorithm: string; auth_data: Uint8Array; etag: number; keys: number };
type KeyRow = { room_id: string; session_id: string; is_verified: number; first_message_index: number; forwarded_count: number; session_data: Uint8Array };

const BACKUPS = 'SELECT version, algorithm, auth_data, etag, keys FROM key_backups WHERE user_id = ? AND deleted = 0';
const KEYS = 'SELECT room_id, session_id, is_verified, first_message_index, forwarded_count, session_data FROM key_backup_keys WHERE user_id = ? AND version = ?';

export function keyBackupQuery(database: Reader): KeyBackupQuery {
  return {
    async keyBackup(userId, version) {
      const [row] = version === undefined
        ? await database.query<BackupRow>(`${BACKUPS} ORDER BY version DESC LIMIT 1`, [userId])
        : await database.query<BackupRow>(`${BACKUPS} AND version = ?`, [userId, versionNumber(version)]);
      return row && { version: String(row.version), algorithm: row.algorithm, authData: row.auth_data, etag: String(row.etag), count: row.keys };
    },

    async backupKeys(userId, version, { roomId, sessionId, after, limit }) {
      const of = [userId, versionNumber(version)];
      if (sessionId !== '') return (await database.query<KeyRow>(`${KEYS} AND room_id = ? AND session_id = ?`, [...of, roomId, sessionId])).map(keyOf);
      const rows = roomId === ''
        ? await database.query<KeyRow>(`${KEYS} AND (room_id, session_id) > (?, ?) ORDER BY room_id, session_id LIMIT ?`, [...of, after.roomId, after.sessionId, limit])
        : await database.query<KeyRow>(`${KEYS} AND room_id = ? AND session_id > ? ORDER BY session_id LIMIT ?`, [...of, roomId, after.sessionId, limit]);
      return rows.map(keyOf);
    },
  };
}

function keyOf(row: KeyRow): Awaited<ReturnType<KeyBackupQuery['backupKeys']>>[number] {
  const head = `"first_message_index":${row.first_message_index},"forwarded_count":${row.forwarded_count},"is_verified":${row.is_verified !== 0}`;
  return { roomId: row.room_id, sessionId: row.session_id, json: `{${head},"session_data":${Buffer.from(row.session_data).toString('utf8')}}` };
}
