/** Writes what is asked of other servers, and the memberships that need no room here. */
import type { Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from './effects.ts';

export async function writeNeeds(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { place, effects: { roomId, needs } } of accepted) {
    if (needs === undefined) continue;
    for (const need of needs.opened ?? []) {
      await tx.insertMany({
        into: 'needs',
        columns: ['need_id', 'room_id', 'partition', 'kind', 'input_id', 'parked_key', 'event_id', 'event', 'created_at', 'deadline'],
        rows: [[need.needId, roomId, place.partition, need.kind, need.inputId, need.parkedKey, need.eventId, need.event, place.nowMs, need.deadlineMs]],
      });
    }
    if (needs.answered !== undefined) await tx.run('UPDATE needs SET answer = ? WHERE need_id = ?', [needs.answered.answer, needs.answered.needId]);
    for (const needId of needs.closed ?? []) await tx.run('DELETE FROM needs WHERE need_id = ?', [needId]);
    if (needs.closedOf !== undefined) await tx.run('DELETE FROM needs WHERE input_id = ?', [needs.closedOf]);
  }
}

export async function writeOutsideMemberships(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { place, effects: { inputId, roomId, outside, arrived } } of accepted) {
    if (arrived === true) await tx.run('DELETE FROM outside_memberships WHERE room_id = ?', [roomId]);
    if (outside === undefined) continue;
    const { userId, roomVersion, membership, eventId, sender, origin, bytes, strippedState, sequence } = outside;
    await tx.insertMany({
      into: 'outside_memberships',
      columns: ['room_id', 'user_id', 'room_version', 'membership', 'event_id', 'sender', 'origin', 'json', 'stripped_state', 'partition', 'sequence', 'input_id'],
      rows: [[roomId, userId, roomVersion, membership, eventId, sender, origin, bytes, strippedState, place.partition, sequence, inputId]],
      onConflict: `ON CONFLICT (room_id, user_id) DO UPDATE SET room_version = excluded.room_version, membership = excluded.membership, event_id = excluded.event_id, sender = excluded.sender,
        origin = excluded.origin, json = excluded.json, stripped_state = excluded.stripped_state, partition = excluded.partition, sequence = excluded.sequence, input_id = excluded.input_id`,
    });
  }
}
