import { mayRead } from '../../../pkg/matrix/visibility/may-read.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import { membershipsAt } from './members-at.ts';
import { byRoom, readPlaces } from './state-at.ts';
import { isStorable } from './stored-event.ts';

/** See `RoomHistoryQuery.visibleToUser`: an event that changes the reader's membership, or the visibility, counts with both states around it. */
export async function visibleToUser(reader: Reader, userId: string, eventIds: readonly string[]): Promise<Set<string>> {
  const visible = new Set<string>();
  if (!isStorable(userId)) return visible;
  const [before, after] = [await membershipsAt(reader, { userId, eventIds, side: 'before' }), await membershipsAt(reader, { userId, eventIds, side: 'after' })];
  for (const [roomId, places] of byRoom(await readPlaces(reader, eventIds))) {
    const joins = await reader.query<{ state_id: number; json: Uint8Array }>(
      `SELECT d.state_id, e.json FROM state_deltas d JOIN events e ON e.event_id = d.event_id WHERE d.room_id = ? AND d.type = 'm.room.member' AND d.state_key = ?`, [roomId, userId]);
    const lastJoin = joins.filter((row) => isJoin(row.json)).reduce((last, row) => Math.max(last, row.state_id), -1);
    for (const { event_id: eventId, history_visibility: historyVisibility, after: stateId } of places) {
      const sides = [before.get(eventId), after.get(eventId)];
      if (sides.some((membershipAtEvent) => mayRead({ historyVisibility, membershipAtEvent, joinedSince: lastJoin >= stateId }))) visible.add(eventId);
    }
  }
  return visible;
}

function isJoin(json: Uint8Array): boolean {
  return (JSON.parse(unpackText(json)) as { content: { membership?: unknown } }).content.membership === 'join';
}
