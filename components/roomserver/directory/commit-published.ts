import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';

/** The row of a room that stands in no list any more stays: a read model that is built anew must hear of it. */
export async function writePublished(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const rows = new Map<string, SqlValue[]>();
  for (const { place, effects: { inputId, roomId, published } } of accepted) {
    if (published !== undefined) rows.set(roomId, [roomId, JSON.stringify(published.networks), published.roomVersion, place.partition, published.sequence, inputId]);
  }
  if (rows.size === 0) return;
  await tx.insertMany({
    into: 'published_rooms', columns: ['room_id', 'networks', 'room_version', 'partition', 'sequence', 'input_id'], rows: [...rows.values()],
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET networks = excluded.networks, partition = excluded.partition, sequence = excluded.sequence, input_id = excluded.input_id`,
  });
}
