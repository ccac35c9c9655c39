/** The texts that users have set beside their presence, which outlive restarts. */
import type { Reader, Transaction } from '../../../pkg/storage/database.ts';

/** By user ID; users without one are left out. */
export async function readStatuses(reader: Reader, userIds: readonly string[]): Promise<Map<string, string>> {
  if (userIds.length === 0) return new Map();
  const rows = await reader.queryIn<{ user_id: string; status_msg: string }>('SELECT user_id, status_msg FROM presence_status WHERE user_id IN (??)', [], userIds);
  return new Map(rows.map((row) => [row.user_id, row.status_msg]));
}

/** `text` empty: none from now on. */
export async function writeStatus(tx: Transaction, userId: string, text: string): Promise<void> {
  if (text === '') await tx.run('DELETE FROM presence_status WHERE user_id = ?', [userId]);
  else await tx.insertMany({ into: 'presence_status', columns: ['user_id', 'status_msg'], rows: [[userId, text]], onConflict: 'ON CONFLICT (user_id) DO UPDATE SET status_msg = excluded.status_msg' });
}
