/** The loaded events that a resolution looks at. */
import { createEventIdOfRoom } from '../ids/room-id.ts';
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { factsOf } from './event-facts.ts';
import { CREATE_SLOT, POWER_LEVELS_SLOT } from './slot.ts';
import type { Slot } from './slot.ts';

export interface LoadedRoom {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly events: (eventId: string) => Pdu | undefined;
  /** Whether the event was rejected; such auth events stand for nothing. Absent: none was. */
  readonly isRejected?: ((eventId: string) => boolean) | undefined;
}

/** The event, which must have been loaded (`eventsToLoad` names all that must): otherwise the result would depend on what happens to be there. Throws `RangeError`. */
export function loadedEvent(room: LoadedRoom, eventId: string): Pdu {
  const event = room.events(eventId);
  if (event === undefined) throw new RangeError(`state cannot be resolved without the event ${eventId}, which was not loaded`);
  return event;
}

/** The event at that slot among the event's own auth events; in versions whose room ID is the create event's hash, also that event. */
export function citedAt(room: LoadedRoom, event: Pdu, slot: Slot): string | undefined {
  if (slot === CREATE_SLOT && room.version.roomIdFormat === 'create-hash') return createEventIdOfRoom(room.roomId);
  return factsOf(event).auth.find((authId) => factsOf(loadedEvent(room, authId)).slot === slot);
}

/** The power levels that the event cites. */
export function citedPowerLevels(room: LoadedRoom, event: Pdu): string | undefined {
  return citedAt(room, event, POWER_LEVELS_SLOT);
}
