/** PURE. The end of a membership in a room that this server is not in. */
import { must } from '../../../pkg/assert/assert.ts';
import { buildEvent } from '../../../pkg/matrix/events/build-event.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { headerOf, NO_EFFECTS, type RoomDecision } from '../input/decision.ts';
import type { OutsideRow } from '../input/effects.ts';
import type { OwnMembership } from './own-membership.ts';
import type { OutsideMember, RemoteNeed } from './facts.ts';
import { encodeOutside } from './outputs.ts';
import { readAnsweredMember } from './read-answer.ts';

const EMPTY_LIST = Buffer.from('[]');

/** Who has left already has the same leave again. */
export function leftAlready({ eventId }: OutsideMember): RoomDecision {
  return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: { event_id: eventId } };
}

/** With the leave that the other server took; one that is not what was asked for counts as none. */
export function finishLeave(wish: OwnMembership, outside: OutsideMember, need: RemoteNeed): RoomDecision {
  const { deciding: { input }, send } = wish;
  const answer = need.answer!;
  const version = versionOf(outside);
  const member = readAnsweredMember(answer, { roomId: input.roomId, version, userId: send.sender, membership: 'leave' });
  if ('problem' in member || eventIdOf(member.pdu, version) !== answer.eventId) return leaveAlone(wish, outside, need.needId);
  return left(wish, outside, { eventId: answer.eventId, bytes: member.bytes, needId: need.needId });
}

/** No other server helps: this one says for itself that the user is out. Only its own users are told. */
export function leaveAlone(wish: OwnMembership, outside: OutsideMember, needId: string | undefined): RoomDecision {
  const { deciding: { input, signer }, send, content } = wish;
  const before = JSON.parse(Buffer.from(outside.bytes).toString()) as Pdu;
  const version = versionOf(outside);
  const reference = referenceTo({ eventId: outside.eventId, pdu: before }, version);
  const built = buildEvent({
    version, draft: { type: 'm.room.member', sender: send.sender, state_key: send.sender, content }, roomId: input.roomId,
    prevEvents: [reference], authEvents: [...before.auth_events, reference], depth: before.depth + 1, originServerTs: input.originServerTs,
    serverName: signer.serverName, signingKey: signer.signingKey,
  });
  return left(wish, outside, { eventId: built.eventId, bytes: Buffer.from(built.json), needId });
}

/** What is told of rooms of versions that this server does not run is not kept. */
function versionOf({ roomVersion: id }: OutsideMember): RoomVersion {
  return must(roomVersion(id), `room version ${id}`);
}

function left({ deciding: { input, place }, send }: OwnMembership, { roomVersion }: OutsideMember, leave: { eventId: string; bytes: Uint8Array; needId: string | undefined }): RoomDecision {
  const outside: OutsideRow = {
    userId: send.sender, roomVersion, membership: 'leave', eventId: leave.eventId, sender: send.sender, origin: '', bytes: leave.bytes, strippedState: EMPTY_LIST, sequence: place.nextSequence,
  };
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], outside, ...(leave.needId !== undefined && { needs: { closed: [leave.needId] } }) },
    outputs: [encodeOutside(headerOf(input, roomVersion), outside)],
    result: { event_id: leave.eventId },
  };
}
