import type { Transaction } from '../../../pkg/storage/database.ts';
import { purgeRelations } from '../relations/write-relations.ts';
import type { Records } from './decoded.ts';

/** Drops what has gone from the beginning of rooms' timelines. Clients that do not have all of it yet are told of a gap (`streams/gaps.ts`). */
export async function purgeTimelines(tx: Transaction, records: Records): Promise<void> {
  const purged = new Map<string, { toOrderKey: number; toSequence: number }>();
  for (const { output: { record: { roomId, historyPurged } } } of records) {
    if (!historyPurged) continue;
    const { toOrderKey, toSequence = 0 } = historyPurged;
    const so = purged.get(roomId);
    purged.set(roomId, { toOrderKey: Math.max(toOrderKey, so?.toOrderKey ?? toOrderKey), toSequence: Math.max(toSequence, so?.toSequence ?? 0) });
  }
  for (const [roomId, { toOrderKey, toSequence }] of purged) {
    const range = [roomId, toOrderKey];
    // History from before is no news of anybody's.
    const [newest] = await tx.query<{ sequence: number | null }>('SELECT MAX(sequence) AS sequence FROM timeline WHERE room_id = ? AND order_key <= ? AND order_key > 0', range);
    const sequence = Math.max(newest?.sequence ?? 0, toSequence);
    await tx.run('DELETE FROM redactions WHERE event_id IN (SELECT event_id FROM timeline WHERE room_id = ? AND order_key <= ?)', range);
    await purgeRelations(tx, roomId, toOrderKey);
    await tx.run('DELETE FROM timeline WHERE room_id = ? AND order_key <= ?', range);
    await tx.run('UPDATE rooms SET purged_sequence = ? WHERE room_id = ? AND purged_sequence < ?', [sequence, roomId, sequence]);
  }
}
