import type { Transaction } from '../../../pkg/storage/database.ts';
import { OPEN } from '../storage/rows.ts';

/** Ends all that was the room's state: it comes anew, as another server has it. Intervals that the new state only goes on with are resumed (`planMemberships`). */
export async function resetRoom(tx: Transaction, roomId: string, sequence: number): Promise<void> {
  await tx.run('UPDATE state_intervals SET to_sequence = ? WHERE room_id = ? AND to_sequence = ?', [sequence, roomId, OPEN]);
  await tx.run('UPDATE memberships SET to_sequence = ? WHERE room_id = ? AND to_sequence = ?', [sequence, roomId, OPEN]);
  await tx.run(`UPDATE rooms SET reset_sequence = ?, joined_count = 0, invited_count = 0, history_visibility = '' WHERE room_id = ?`, [sequence, roomId]);
}
