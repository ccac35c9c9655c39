/** Spec: rooms/v2, "Iterative auth checks". */
import { authorize } from '../auth/authorize.ts';
import type { Pdu } from '../events/pdu.ts';
import { citedAt, loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { slotOf, slotOfEvent } from './slot.ts';
import type { Slot } from './slot.ts';

/**
 * Applies to `resolved`, in order, those of the events that the authorisation rules allow in the state so far: what `resolved` holds, else what `base` holds, else the event's
 * own auth events, unless rejected.
 */
export function applyAllowed(room: LoadedRoom, resolved: Map<Slot, string>, base: (slot: Slot) => string | undefined, eventIds: readonly string[]): void {
  const { version, roomId } = room;
  for (const eventId of eventIds) {
    const event = loadedEvent(room, eventId);
    const state = (type: string, stateKey: string): Pdu | undefined => {
      const slot = slotOf(type, stateKey);
      const found = resolved.get(slot) ?? base(slot) ?? acceptedOnly(room, citedAt(room, event, slot));
      return found === undefined ? undefined : loadedEvent(room, found);
    };
    if (authorize({ event, version, state, roomId }).allowed) resolved.set(slotOfEvent(event), eventId);
  }
}

function acceptedOnly(room: LoadedRoom, eventId: string | undefined): string | undefined {
  return eventId === undefined || room.isRejected?.(eventId) === true ? undefined : eventId;
}
