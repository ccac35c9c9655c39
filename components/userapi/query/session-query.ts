/** Answers about sessions: devices, tokens, user-interactive authentication. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { DehydratedDeviceQuery } from '../../../schemas/ports/dehydrated-device-query.ts';
import type { SessionQuery, StoredDevice } from '../../../schemas/ports/session-query.ts';

type DeviceRow = { device_id: string; display_name: string; seen_at: number; seen_ip: string };

const DEVICES = 'SELECT device_id, display_name, seen_at, seen_ip FROM devices WHERE user_id = ? AND removed = 0';

export function sessionQuery(database: Reader): SessionQuery & DehydratedDeviceQuery {
  return {
    async devices(userId) {
      return (await database.query<DeviceRow>(`${DEVICES} ORDER BY device_id`, [userId])).map(deviceOf);
    },

    async device(userId, deviceId) {
      const [row] = await database.query<DeviceRow>(`${DEVICES} AND device_id = ?`, [userId, deviceId]);
      return row && deviceOf(row);
    },

    async dehydratedDevice(userId) {
      const [row] = await database.query<{ device_id: string; dehydrated: Uint8Array }>('SELECT device_id, dehydrated FROM devices WHERE user_id = ? AND removed = 0 AND dehydrated IS NOT NULL', [userId]);
      return row && { deviceId: row.device_id, data: row.dehydrated };
    },

    async sessionOfFamily(familyHash) {
      const [row] = await database.query<{ user_id: string; device_id: string }>('SELECT user_id, device_id FROM access_tokens WHERE family_hash = ? LIMIT 1', [familyHash]);
      return row && { userId: row.user_id, deviceId: row.device_id };
    },

    async issuedToken(purpose, tokenHash) {
      const [row] = await database.query<{ user_id: string; expires_at: number }>(
        `SELECT t.user_id AS user_id, t.expires_at AS expires_at FROM issued_tokens t JOIN accounts a ON a.user_id = t.user_id
         WHERE t.token_hash = ? AND t.purpose = ? AND a.deactivated = 0`, [tokenHash, purpose]);
      return row && { userId: row.user_id, expiresMs: row.expires_at };
    },

    async uiaSession(session) {
      const [row] = await database.query<{ stages: string; used_up: number }>('SELECT stages, used_up FROM uia_sessions WHERE session = ?', [session]);
      return row && { stages: JSON.parse(row.stages) as string[], isUsedUp: row.used_up !== 0 };
    },
  };
}

function deviceOf(row: DeviceRow): StoredDevice {
  return { deviceId: row.device_id, displayName: row.display_name, seenMs: row.seen_at, seenIp: row.seen_ip };
}
