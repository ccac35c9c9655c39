import type { Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';

export async function writeUpgrades(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { place, effects: { upgrade } } of accepted) {
    if (upgrade === undefined) continue;
    await tx.insertMany({
      into: 'upgrades', columns: ['room_id', 'partition', 'input_id', 'sender', 'room_version', 'new_room_id', 'new_room', 'parked_key', 'result', 'created_at'],
      rows: [[upgrade.roomId, place.partition, upgrade.inputId, upgrade.sender, upgrade.roomVersion, upgrade.newRoomId, upgrade.newRoom, upgrade.parkedKey, upgrade.result, upgrade.createdAtMs]],
      onConflict: `ON CONFLICT (room_id) DO UPDATE SET partition = excluded.partition, input_id = excluded.input_id, sender = excluded.sender, room_version = excluded.room_version,
        new_room_id = excluded.new_room_id, new_room = excluded.new_room, parked_key = excluded.parked_key, result = excluded.result, created_at = excluded.created_at`,
    });
  }
}
