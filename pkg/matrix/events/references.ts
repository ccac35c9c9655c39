/** How an event names others in `prev_events` and `auth_events` (spec: rooms/v1 and rooms/v3, "Event format"). */
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { essentialText, sha256Base64 } from './hashes.ts';
import type { Pdu } from './pdu.ts';

/** An event ID; in versions 1 and 2 with the event's reference hash, unpadded base64. */
export type EventReference = string | readonly [eventId: string, hashes: { readonly sha256: string }];

/** As events of that version refer to the event. Throws `CanonicalJsonError`. */
export function referenceTo({ eventId, pdu }: { readonly eventId: string; readonly pdu: Pdu }, version: RoomVersion): EventReference {
  return version.eventFormat === 'ids' ? eventId : [eventId, { sha256: sha256Base64(essentialText(pdu, version)) }];
}
