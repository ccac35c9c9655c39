/** Account data: global and of rooms, what changed or, for a client or a room that is new, all of it. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { AccountDataRow } from '../storage/rows.ts';

const COLUMNS = 'room_id, type, content, sequence';

/** What changed for a user in (after, upTo], by room (empty: global). `rooms`: rooms whose account data is wanted from the beginning. */
export async function loadAccountData(
  reader: Reader,
  userId: string,
  range: { after: number; upTo: number; rooms: readonly string[] },
): Promise<Map<string, AccountDataRow[]>> {
  const { after, upTo, rooms } = range;
  const changed =
    upTo > after
      ? await reader.query<AccountDataRow>(
          `SELECT ${COLUMNS} FROM account_data WHERE user_id = ? AND sequence > ? AND sequence <= ? ORDER BY sequence`,
          [userId, after, upTo],
        )
      : [];
  const all =
    rooms.length > 0 && after > 0
      ? await reader.queryIn<AccountDataRow>(`SELECT ${COLUMNS} FROM account_data WHERE user_id = ? AND sequence <= ? AND room_id IN (??)`, [userId, after], rooms)
      : [];
  return Map.groupBy([...all, ...changed], (row) => row.room_id);
}

/** Events of account data as JSON text. */
export function accountDataText(rows: readonly AccountDataRow[]): string[] {
  return rows.map((row) => `{"content":${row.content},"type":${JSON.stringify(row.type)}}`);
}
