import type { Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';

export async function writeForgotten(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { place, effects: { inputId, roomId, forgotten } } of accepted) {
    if (forgotten === undefined) continue;
    const { userId, eventId, roomVersion, sequence } = forgotten;
    await tx.insertMany({
      into: 'forgotten', columns: ['room_id', 'user_id', 'event_id', 'room_version', 'partition', 'sequence', 'input_id'],
      rows: [[roomId, userId, eventId, roomVersion, place.partition, sequence, inputId]],
    });
  }
}
