/** What an invited server and its user are told of a room (spec: client-server, "Stripped state"; server-server, PUT /invite: whole events in the room version's format). */
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { STRIPPED_TYPES } from '../../../pkg/matrix/events/stripped-types.ts';
import { stateEntry, type RoomHead } from '../input/room-head.ts';

/** The keys of the state that stripped state is made of. */
export function strippedKeys(inviter: string): (readonly [type: string, stateKey: string])[] {
  return [...STRIPPED_TYPES.map((type) => [type, ''] as const), ['m.room.member', inviter]];
}

/** JSON list of those that the room has. The head must hold the keys. */
export function strippedState(head: RoomHead, inviter: string): Uint8Array {
  const pdus = strippedKeys(inviter).flatMap(([type, stateKey]) => stateEntry(head, type, stateKey)?.pdu ?? []);
  return Buffer.from(`[${pdus.map((pdu) => eventText(pdu, head.version)).join(',')}]`);
}
