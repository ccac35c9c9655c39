/**
 * PURE. A user who has left forgets the room (spec: client-server, POST /rooms/{roomId}/forget). It is the room's owner who decides: only here it is in one order with the user's memberships,
 * so that nobody forgets a room that they are just joining again, and that the next membership brings the room back without a word.
 */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { ForgetRoom } from '../../../schemas/log/room-input.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { refused } from '../input/refused.ts';
import { stateEntry, type RoomHead } from '../input/room-head.ts';
import { forgottenRef, memberRef } from '../remote/facts.ts';

const OVER = new Set(['leave', 'ban']);

/** Who never was there has nothing to forget; who has forgotten already does so once. The head must hold the user's membership. */
export function decideForget(deciding: Deciding, head: RoomHead | undefined, { userId }: ForgetRoom): RoomDecision {
  const { picture: { remote: facts }, input, place } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const outside = facts.outside.get(memberRef(input.roomId, userId));
  const entry = head && stateEntry(head, 'm.room.member', userId);
  // What was said while this server was out of the room is newer than what it knew of it.
  const member = outside ?? (entry && { membership: String(entry.pdu.content.membership), eventId: entry.eventId, roomVersion: head.version.id });
  const done = { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} } as const;
  if (member === undefined || member === null) return done;
  if (!OVER.has(member.membership)) return rejected(refused(400, 'M_UNKNOWN', `${userId} must leave the room before forgetting it: their membership is ${member.membership}`));
  if (facts.forgotten.has(forgottenRef(input.roomId, userId, member.eventId))) return done;
  return {
    ...done,
    effects: {
      inputId: input.inputId, roomId: input.roomId, events: [], redactions: [],
      forgotten: { userId, eventId: member.eventId, roomVersion: member.roomVersion, sequence: place.nextSequence },
    },
    outputs: [roomOutputCodec.encode({ ...headerOf(input, member.roomVersion), forgotten: { userId } })],
  };
}
