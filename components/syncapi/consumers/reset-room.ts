import type { Transaction } from '../../../pkg/storage/database.ts';
import { OPEN } from '../storage/rows.ts';

const INTERVALS = ['state_intervals', 'memberships'];

/** Ends all that was the room's state: it comes anew, as another server has it. Intervals that the new state only goes on with are resumed (`planMemberships`). */
export async function resetRoom(tx: Transaction, roomId: string, sequence: number): Promise<void> {
  // The join for which that state came has failed.
  const failed = (await roomsOnTheWayIn(tx, [roomId])).get(roomId);
  for (const table of INTERVALS) {
    if (failed !== undefined) await forget(tx, table, { roomId, failed, sequence });
    await tx.run(`UPDATE ${table} SET to_sequence = ? WHERE room_id = ? AND to_sequence = ?`, [sequence, roomId, OPEN]);
  }
  await tx.run('DELETE FROM partial_rooms WHERE room_id = ?', [roomId]);
  await tx.run(`UPDATE rooms SET reset_sequence = ?, joined_count = 0, joined_here = 0, invited_count = 0, history_visibility = '' WHERE room_id = ?`, [sequence, roomId]);
}

/** Of these rooms, those whose state began anew with no event since: the server is on its way in, and nobody has seen that state. */
export async function roomsOnTheWayIn(tx: Transaction, roomIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await tx.queryIn<{ room_id: string; reset_sequence: number }>(
    `SELECT r.room_id, r.reset_sequence FROM rooms r WHERE r.room_id IN (??) AND r.reset_sequence > 0
       AND NOT EXISTS (SELECT 1 FROM timeline t WHERE t.room_id = r.room_id AND t.sequence > r.reset_sequence)`,
    [],
    roomIds,
  );
  return new Map(rows.map((row) => [row.room_id, row.reset_sequence]));
}

/** As if that state had never come: a read model that is built from the owner's tables does not hear of it. */
async function forget(tx: Transaction, table: string, { roomId, failed, sequence }: { roomId: string; failed: number; sequence: number }): Promise<void> {
  await tx.run(`DELETE FROM ${table} WHERE room_id = ? AND from_sequence >= ?`, [roomId, failed]);
  await tx.run(`UPDATE ${table} SET to_sequence = ? WHERE room_id = ? AND to_sequence = ?`, [sequence, roomId, failed]);
}
