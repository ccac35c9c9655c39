import type { Transaction } from '../../../pkg/storage/database.ts';
import type { Records } from './decoded.ts';

/** Drops what has gone from the beginning of rooms' timelines. Clients that do not have all of it yet are told of a gap (`streams/gaps.ts`). */
export async function purgeTimelines(tx: Transaction, records: Records): Promise<void> {
  const purged = new Map<string, number>();
  for (const { output: { record: { roomId, historyPurged } } } of records) {
    if (historyPurged) purged.set(roomId, Math.max(historyPurged.toOrderKey, purged.get(roomId) ?? 0));
  }
  for (const range of purged) {
    const [newest] = await tx.query<{ sequence: number | null }>('SELECT MAX(sequence) AS sequence FROM timeline WHERE room_id = ? AND order_key <= ?', range);
    if (newest?.sequence === null || newest === undefined) continue;
    await tx.run('DELETE FROM redactions WHERE event_id IN (SELECT event_id FROM timeline WHERE room_id = ? AND order_key <= ?)', range);
    await tx.run('DELETE FROM timeline WHERE room_id = ? AND order_key <= ?', range);
    await tx.run('UPDATE rooms SET purged_sequence = ? WHERE room_id = ? AND purged_sequence < ?', [newest.sequence, range[0], newest.sequence]);
  }
}
