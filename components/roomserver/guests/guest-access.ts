/** PURE. What m.room.guest_access means (Client-Server API, "Guest Access"): which joins of guests are refused, and when those that are in the room have to go. */
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import type { SendEvent } from '../../../schemas/log/room-input.ts';
import type { AcceptedInput, StateEntry } from '../input/effects.ts';
import { parseContent } from '../input/parse-content.ts';
import { refused } from '../input/refused.ts';
import { stateEntry, type RoomHead } from '../input/room-head.ts';

export const GUEST_ACCESS = 'm.room.guest_access';

/** Why a guest may not send this; undefined: it may, or is none. A room that this server is not in says nothing that could be relied upon. */
export function guestProblem(head: RoomHead | undefined, { isGuest, event }: SendEvent): RejectedOutcome | undefined {
  if (isGuest !== true || event.type !== 'm.room.member' || parseContent(event.content)?.['membership'] !== 'join') return undefined;
  if (head !== undefined && letsIn(stateEntry(head, GUEST_ACCESS, ''))) return undefined;
  return refused(403, 'M_GUEST_ACCESS_FORBIDDEN', 'Guests cannot join this room');
}

/** The events of these inputs by which rooms became closed to guests, the last one of each room. */
export function barringEvents(accepted: readonly AcceptedInput[]): { roomId: string; eventId: string; partition: number }[] {
  const found = new Map<string, { roomId: string; eventId: string; partition: number }>();
  for (const { place, effects: { roomId, events } } of accepted) {
    for (const { eventId, states } of events) {
      const step = states.filter((state) => state.isCurrent).flatMap(({ steps }) => steps).findLast(({ type, stateKey }) => type === GUEST_ACCESS && stateKey === '');
      if (step !== undefined && letsIn(step.replaces) && !letsIn(step.entry)) found.set(roomId, { roomId, eventId, partition: place.partition });
    }
  }
  return [...found.values()];
}

function letsIn(entry: StateEntry | undefined): boolean {
  return entry?.pdu.content['guest_access'] === 'can_join';
}
