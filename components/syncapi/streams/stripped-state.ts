/** The few state events that tell an invited (or knocking) user what the room is. */
import { STRIPPED_TYPES } from '../../../pkg/matrix/events/stripped-types.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { slotOf, type StateRow } from '../storage/rows.ts';
import type { RoomView } from '../sync/scope.ts';

const COLUMNS = 's.slot, s.from_sequence, s.to_sequence, s.room_id, s.type, s.event_id';

/** Event IDs of the stripped state at the position of the answer, by room: also the user's own member event and the inviter's. */
export async function loadStrippedState(reader: Reader, views: readonly RoomView[], userId: string): Promise<Map<string, string[]>> {
  if (views.length === 0) return new Map();
  const byRoom = new Map(views.map((view) => [view.roomId, view]));
  const slots = views.flatMap((view) => [...STRIPPED_TYPES.map((type) => slotOf(view.roomId, type, '')), slotOf(view.roomId, 'm.room.member', userId)]);
  const senders = await reader.queryIn<{ room_id: string; sender: string }>(
    'SELECT room_id, sender FROM timeline WHERE event_id IN (??)',
    [],
    views.map((view) => view.current.event_id),
  );
  for (const row of senders) slots.push(slotOf(row.room_id, 'm.room.member', row.sender));
  const rows = await reader.queryIn<StateRow>(`SELECT ${COLUMNS} FROM state_intervals s WHERE s.slot IN (??) ORDER BY s.from_sequence`, [], [...new Set(slots)]);
  const found = new Map<string, string[]>(views.map((view) => [view.roomId, []]));
  for (const row of rows) {
    const upper = byRoom.get(row.room_id)?.upper ?? 0;
    if (row.from_sequence <= upper && upper < row.to_sequence) found.get(row.room_id)?.push(row.event_id);
  }
  return found;
}
