/** PURE. An invite of a user here by another server (spec: server-server, "Inviting to a room"), signed by both; and the end of it, or of a knock, when that is the doing of others. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import type { ReceiveInvite } from '../../../schemas/log/room-input.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { OutsideRow } from '../input/effects.ts';
import { parseContent } from '../input/parse-content.ts';
import { forbidden, refused } from '../input/refused.ts';
import { membershipOf, type RoomHead } from '../input/room-head.ts';
import { isStorable } from '../query/stored-event.ts';
import { isServerIn, memberRef } from './facts.ts';
import { encodeOutside } from './outputs.ts';

const MEMBERSHIPS = new Set(['invite', 'leave', 'ban']);

/** Where this server is in the room, the event comes by /send as well, to its place in the graph: nothing is written here then. */
export function decideReceiveInvite(deciding: Deciding, head: RoomHead | undefined, invite: ReceiveInvite): RoomDecision {
  const { picture: { remote: facts }, input, place, signer } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const version = roomVersion(invite.roomVersion);
  if (version === undefined) return rejected(refused(400, 'M_INCOMPATIBLE_ROOM_VERSION', `This server does not support room version ${invite.roomVersion}`));
  const pdu = parseContent(invite.pdu) as Pdu | undefined;
  const target = pdu?.state_key;
  if (pdu === undefined || typeof target !== 'string' || !isMember(pdu, input.roomId) || ![target, pdu.sender, invite.eventId].every(isStorable) || !isLocalUser(target, signer.serverName)) {
    return rejected(refused(400, 'M_INVALID_PARAM', 'The event is not an invite of a user of this server'));
  }
  const done = { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: { event_id: invite.eventId } } as const;
  if (head !== undefined && isServerIn(facts, head, signer.serverName)) {
    const problem = problemInside(pdu, membershipOf(head, target));
    return problem === undefined ? done : rejected(problem);
  }
  if (pdu.content.membership !== 'invite') return decideEnd(deciding, { pdu, invite, version, userId: target });
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

/** Why a user of a room that this server is in cannot be invited. */
function problemInside({ state_key: userId, content }: Pdu, membership: string | undefined): RejectedOutcome | undefined {
  if (content.membership !== 'invite') return undefined;
  if (membership === 'join') return forbidden(`${userId} is already in the room`);
  return membership === 'ban' ? forbidden(`${userId} is banned from the room`) : undefined;
}

interface End {
  readonly pdu: Pdu;
  readonly invite: ReceiveInvite;
  readonly version: RoomVersion;
  readonly userId: string;
}

/** The invite was withdrawn, or the knock turned down. Nothing is known here of who may do that in the room: the server is believed that invited, or took the knock, and no other. */
function decideEnd({ picture: { remote: facts }, input, place }: Deciding, { pdu, invite, version, userId }: End): RoomDecision {
  const before = facts.outside.get(memberRef(input.roomId, userId));
  const done = { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: { event_id: invite.eventId } } as const;
  if (before === undefined || before === null || before.membership === 'leave') return done;
  const believed = before.membership === 'invite' ? domainOf(before.sender) : before.origin;
  if (domainOf(pdu.sender) !== believed && invite.origin !== believed) return rejected(forbidden('Another server has to say so'));
  const outside: OutsideRow = {
    userId, roomVersion: version.id, membership: 'leave', eventId: invite.eventId, sender: pdu.sender, origin: invite.origin, bytes: invite.pdu, strippedState: Buffer.from('[]'), sequence: place.nextSequence,
  };
  return { ...done, effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], outside }, outputs: [encodeOutside(headerOf(input, version.id), outside)] };
}

/** An invite, or what ends one. */
function isMember(pdu: Pdu, roomId: string): boolean {
  if (pdu.type !== 'm.room.member' || pdu.room_id !== roomId || typeof pdu.content !== 'object' || typeof pdu.sender !== 'string') return false;
  return MEMBERSHIPS.has(String(pdu.content?.membership));
}
