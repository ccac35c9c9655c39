/** What an event's own `auth_events` must be: rule 2 of room versions 10 and 11, rule 3 of version 12. Numbers in comments are those below that rule. */
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { authTypesFor } from './auth-types.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { AuthVerdict } from './verdict.ts';

export interface AuthEvent {
  readonly event: Pdu;
  /** Whether that event was itself rejected. */
  readonly rejected: boolean;
}

/** Whether these, all the events that `event.auth_events` names, may authorise it. The create event has none and needs none. */
export function checkAuthEvents(event: Pdu, version: RoomVersion, authEvents: readonly AuthEvent[]): AuthVerdict {
  if (event.type === 'm.room.create') return ALLOWED;
  const selectable = authTypesFor(event, version);
  // Places in `selectable`, which has a handful.
  const seen: number[] = [];
  for (const { event: authEvent, rejected } of authEvents) {
    const { type, state_key: stateKey } = authEvent;
    const place = selectable.findIndex(([selectedType, selectedKey]) => selectedType === type && selectedKey === stateKey);
    // 1.
    if (place >= 0 && seen.includes(place)) return refuse(`The auth events hold ${type} twice`);
    // 2.
    if (place < 0) return refuse(`${type} cannot be among the auth events of this event`);
    // 3.
    if (rejected) return refuse(`The auth events hold a rejected ${type}`);
    // 5.
    if (authEvent.room_id !== event.room_id) return refuse(`The auth events hold ${type} of another room`);
    seen.push(place);
  }
  // 4, up to version 11.
  if (version.createInAuthEvents && !seen.some((place) => selectable[place]![0] === 'm.room.create')) return refuse('The auth events lack the create event');
  return ALLOWED;
}
