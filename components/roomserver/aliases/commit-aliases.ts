import type { Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';

/** One statement each: they are few. */
export async function writeAliases(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { place, effects: { alias: change } } of accepted) {
    if (change === undefined) continue;
    const { alias, row } = change;
    if (row === undefined) {
      await tx.run('DELETE FROM aliases WHERE alias = ?', [alias]);
      continue;
    }
    await tx.insertMany({
      into: 'aliases',
      columns: ['alias', 'room_id', 'creator', 'partition', 'created_at', 'reserved_until'],
      rows: [[alias, row.roomId, row.creator, place.partition, place.nowMs, row.reservedUntilMs]],
      onConflict: 'ON CONFLICT (alias) DO UPDATE SET room_id = excluded.room_id, creator = excluded.creator, created_at = excluded.created_at, reserved_until = excluded.reserved_until',
    });
  }
}
