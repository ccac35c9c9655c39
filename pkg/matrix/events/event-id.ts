/** Event IDs by reference hash (spec: rooms/v3 and rooms/v4, "Event IDs"). */
import { createHash } from 'node:crypto';
import { trimPadding } from '../canonical-json/base64.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { essentialText } from './hashes.ts';
import type { Pdu } from './pdu.ts';

/** The event's ID. Throws `CanonicalJsonError`. */
export function eventIdOf(pdu: Pdu, version: RoomVersion): string {
  if (version.eventIdFormat === 'opaque') return (pdu as Pdu & { event_id: string }).event_id;
  return eventIdOfEssentials(essentialText(pdu, version), version);
}

/** The ID of the event whose `essentialText` is given. */
export function eventIdOfEssentials(essentials: string | Uint8Array, version: RoomVersion): string {
  const hash = createHash('sha256').update(essentials);
  return `$${version.eventIdFormat === 'base64url' ? hash.digest('base64url') : trimPadding(hash.digest('base64'))}`;
}
