/** Event IDs: chosen by who makes the event, or its reference hash (spec: rooms/v1, rooms/v3 and rooms/v4, "Event IDs"). */
import { createHash, hash } from 'node:crypto';
import { trimPadding } from '../canonical-json/base64.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { essentialText } from './hashes.ts';
import type { Pdu } from './pdu.ts';

/** The event's ID. In versions 1 and 2 it stands in the event, which must be a valid one. Throws `CanonicalJsonError`. */
export function eventIdOf(pdu: Pdu, version: RoomVersion): string {
  if (version.eventIdFormat === 'opaque') return pdu.event_id as string;
  return eventIdOfEssentials(essentialText(pdu, version), version);
}

/** The ID of the event whose `essentialText` is given; from version 3 on. */
export function eventIdOfEssentials(essentials: string | Uint8Array, version: RoomVersion): string {
  return `$${version.eventIdFormat === 'base64url' ? hash('sha256', essentials, 'base64url') : trimPadding(hash('sha256', essentials, 'base64'))}`;
}

/** Server names take up to 230 of an ID's 255 bytes. */
const OPAQUE_LENGTH = 22;

/** An ID for an event that `serverName` makes, in versions 1 and 2: no other event has it, as it comes from the event's own `text`, which is all of it but ID, hashes and signatures. */
export function opaqueEventId(text: string, serverName: string): string {
  return `$${createHash('sha256').update(text).digest('base64url').slice(0, OPAQUE_LENGTH)}:${serverName}`;
}
