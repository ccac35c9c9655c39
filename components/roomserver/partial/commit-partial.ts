/** Writes what becomes of rooms whose members are fetched later. */
import type { Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';
import { COMPLETING } from './partial-row.ts';
import type { PartialChange, PartialRow } from './partial-row.ts';

export async function writePartial(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { effects: { roomId, arrived, partial } } of accepted) {
    // Whatever an earlier join had left open: this one has brought the state anew.
    if (arrived === true) await tx.run('DELETE FROM partial_rooms WHERE room_id = ?', [roomId]);
    if (partial !== undefined) await writeChange(tx, roomId, partial);
  }
}

async function writeChange(tx: Transaction, roomId: string, change: PartialChange): Promise<void> {
  if (change.kind === 'begins') return insert(tx, change.row);
  if (change.kind === 'asked') {
    await tx.run(`UPDATE partial_rooms SET tries = ?, retry_at = ? WHERE room_id = ? AND state = ${COMPLETING}`, [change.tries, change.retryAt, roomId]);
    return;
  }
  await tx.run('UPDATE partial_rooms SET state = ?, end_sequence = ? WHERE room_id = ?', [change.state, change.sequence, roomId]);
  // What was copied of states meanwhile lacks the members.
  for (const table of ['state_snapshots', 'state_marks']) await tx.run(`DELETE FROM ${table} WHERE room_id = ? AND state_id >= ?`, [roomId, change.stateId]);
}

async function insert(tx: Transaction, row: PartialRow): Promise<void> {
  await tx.insertMany({
    into: 'partial_rooms',
    columns: ['room_id', 'room_version', 'partition', 'event_id', 'state_id', 'origin', 'servers', 'sequence', 'end_sequence', 'state', 'tries', 'retry_at', 'begun_at'],
    rows: [[row.roomId, row.roomVersion, row.partition, row.eventId, row.stateId, row.origin, JSON.stringify(row.servers), row.sequence, row.endSequence, row.state, row.tries, row.retryAt, row.begunAt]],
  });
}
