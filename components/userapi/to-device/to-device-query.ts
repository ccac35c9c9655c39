/** Messages that wait for devices. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { ToDeviceQuery } from '../../../schemas/ports/to-device-query.ts';

type MessageRow = { sequence: number; event: Uint8Array };

const MESSAGES = `SELECT d.sequence AS sequence, COALESCE(d.event, s.event) AS event FROM to_device d
  LEFT JOIN to_device_shared s ON s.partition = d.partition AND s.sequence = d.sequence AND s.shared = d.shared
  WHERE d.user_id = ? AND d.device_id = ? AND d.sequence > ? AND d.sequence <= ? ORDER BY d.sequence LIMIT ?`;

export function toDeviceQuery(database: Reader): ToDeviceQuery {
  return {
    async toDevice({ userId, deviceId }, { after, upTo, limit }) {
      const rows = await database.query<MessageRow>(MESSAGES, [userId, deviceId, after, upTo, limit]);
      return rows.map(({ sequence, event }) => ({ sequence, event: Buffer.from(event).toString('utf8') }));
    },
  };
}
