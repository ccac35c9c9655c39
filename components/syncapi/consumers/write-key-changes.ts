/** What user-output tells of keys of end-to-end encryption: whose have changed last when, and what is left to claim of each device. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { OPEN } from '../storage/rows.ts';
import { insert } from './write-rows.ts';

/** Rooms whose members have to hear of it. */
export async function writeKeyChanges(tx: Transaction, records: readonly SequencedRecord<UserOutput>[]): Promise<string[]> {
  const lists = new Map<string, SqlValue[]>();
  const counts = new Map<string, SqlValue[]>();
  for (const { partition, sequence, output } of records) {
    const { userId, deviceList, keyCounts, device } = output;
    if (deviceList) lists.set(userId, [userId, partition, sequence]);
    if (keyCounts) counts.set(JSON.stringify([userId, keyCounts.deviceId]), [userId, keyCounts.deviceId, keyCounts.counts, keyCounts.unusedFallbacks, sequence]);
    if (device?.removed !== true) continue;
    counts.delete(JSON.stringify([userId, device.deviceId]));
    await tx.run('DELETE FROM device_key_counts WHERE user_id = ? AND device_id = ?', [userId, device.deviceId]);
  }
  await insert(tx, {
    into: 'device_key_counts', columns: ['user_id', 'device_id', 'counts', 'unused_fallbacks', 'sequence'], rows: [...counts.values()],
    onConflict: 'ON CONFLICT (user_id, device_id) DO UPDATE SET counts = excluded.counts, unused_fallbacks = excluded.unused_fallbacks, sequence = excluded.sequence',
  });
  if (lists.size === 0) return [];
  await insert(tx, {
    into: 'device_list_changes', columns: ['user_id', 'partition_number', 'sequence'], rows: [...lists.values()],
    onConflict: 'ON CONFLICT (user_id) DO UPDATE SET partition_number = excluded.partition_number, sequence = excluded.sequence',
  });
  const rooms = await tx.queryIn<{ room_id: string }>(`SELECT DISTINCT room_id FROM memberships WHERE to_sequence = ? AND membership = 'join' AND user_id IN (??)`, [OPEN], [...lists.keys()]);
  return rooms.map((row) => row.room_id);
}
