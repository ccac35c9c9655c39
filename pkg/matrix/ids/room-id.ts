/** Room IDs and aliases (spec: appendices, "Room IDs" and "Room Aliases"). */
import { isDomainId } from './domain-of.ts';
import { EVENT_HASH } from './event-id.ts';

/** Whether `id` has one of the forms of a room ID: `!opaque:domain`, or `!` and the hash of the create event. */
export function isRoomId(id: unknown): id is string {
  return typeof id === 'string' && (isHashRoomId(id) || isDomainId(id, '!'));
}

/** Whether `id` is a room ID without domain (room version 12). */
export function isHashRoomId(id: string): boolean {
  return id.startsWith('!') && EVENT_HASH.test(id.slice(1));
}

/** Whether `id` is a room ID in the form that the room version has. */
export function isRoomIdOf(version: { readonly roomIdFormat: 'domain' | 'create-hash' }, id: unknown): id is string {
  if (typeof id !== 'string') return false;
  return version.roomIdFormat === 'create-hash' ? isHashRoomId(id) : isDomainId(id, '!');
}

/** `!opaque:serverName`, for room versions with a domain in the room ID; `opaque` should be letters and digits. */
export function domainRoomId(opaque: string, serverName: string): string {
  return `!${opaque}:${serverName}`;
}

/** The room ID that a create event's ID makes (room version 12). */
export function roomIdOfCreateEvent(createEventId: string): string {
  return `!${createEventId.slice(1)}`;
}

/** The create event's ID that a room ID without domain stands for. */
export function createEventIdOfRoom(roomId: string): string {
  return `$${roomId.slice(1)}`;
}

/** Whether `alias` is a room alias. */
export function isRoomAlias(alias: unknown): alias is string {
  return typeof alias === 'string' && isDomainId(alias, '#');
}

/** `#localpart:serverName`. Does not validate. */
export function roomAlias(localpart: string, serverName: string): string {
  return `#${localpart}:${serverName}`;
}
