/** PURE. An invite of a user here by another server (spec: server-server, "Inviting to a room"), signed by both. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { ReceiveInvite } from '../../../schemas/log/room-input.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { OutsideRow } from '../input/effects.ts';
import { parseContent } from '../input/parse-content.ts';
import { forbidden, refused } from '../input/refused.ts';
import { membershipOf, type RoomHead } from '../input/room-head.ts';
import { isStorable } from '../query/stored-event.ts';
import { isServerIn, memberRef } from './facts.ts';
import { encodeOutside } from './outputs.ts';

/** Where this server is in the room, the event comes by /send as well, to its place in the graph: nothing is written here then. */
export function decideReceiveInvite(deciding: Deciding, head: RoomHead | undefined, invite: ReceiveInvite): RoomDecision {
  const { picture: { remote: facts }, input, place, signer } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const version = roomVersion(invite.roomVersion);
  if (version === undefined) return rejected(refused(400, 'M_INCOMPATIBLE_ROOM_VERSION', `This server does not support room version ${invite.roomVersion}`));
  const pdu = parseContent(invite.pdu) as Pdu | undefined;
  const target = pdu?.state_key;
  if (pdu === undefined || typeof target !== 'string' || !isInvite(pdu, input.roomId) || ![target, pdu.sender, invite.eventId].every(isStorable) || !isLocalUser(target, signer.serverName)) {
    return rejected(refused(400, 'M_INVALID_PARAM', 'The event is not an invite of a user of this server'));
  }
  const done = { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: { event_id: invite.eventId } } as const;
  if (head !== undefined && isServerIn(facts, head, signer.serverName)) {
    const membership = membershipOf(head, target);
    if (membership === 'join') return rejected(forbidden(`${target} is already in the room`));
    return membership === 'ban' ? rejected(forbidden(`${target} is banned from the room`)) : done;
  }
  if (facts.outside.get(memberRef(input.roomId, target))?.eventId === invite.eventId) return done;
  const outside: OutsideRow = {
    userId: target, roomVersion: version.id, membership: 'invite', eventId: invite.eventId, sender: pdu.sender, origin: invite.origin, bytes: invite.pdu,
    strippedState: invite.strippedState, sequence: place.nextSequence,
  };
  return {
    ...done,
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], outside },
    outputs: [encodeOutside(headerOf(input, version.id), outside)],
  };
}

function isInvite(pdu: Pdu, roomId: string): boolean {
  return pdu.type === 'm.room.member' && pdu.room_id === roomId && typeof pdu.content === 'object' && pdu.content?.membership === 'invite' && typeof pdu.sender === 'string';
}
