/** PURE. A knock that another server has taken: the user here sees the room as that server described it, until it is answered. */
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import { headerOf, type RoomDecision } from '../input/decision.ts';
import type { OutsideRow } from '../input/effects.ts';
import { badAnswer, giveUp } from './needs.ts';
import { encodeOutside } from './outputs.ts';
import type { OwnMembership } from './own-membership.ts';
import { readAnsweredMember } from './read-answer.ts';

const EMPTY_LIST = Buffer.from('[]');

export function finishKnock({ deciding, send }: OwnMembership, needId: string, answer: Answer): RoomDecision {
  const { input, place } = deciding;
  const { strippedState = EMPTY_LIST } = answer;
  const version = roomVersion(answer.roomVersion);
  if (version === undefined) return giveUp(deciding, needId, badAnswer(`room version ${answer.roomVersion} is not one that this server runs`));
  const member = readAnsweredMember(answer, { roomId: input.roomId, version, userId: send.sender, membership: 'knock' });
  if ('problem' in member) return giveUp(deciding, needId, badAnswer(member.problem));
  if (eventIdOf(member.pdu, version) !== answer.eventId) return giveUp(deciding, needId, badAnswer('the event is not the one that it is called'));
  const outside: OutsideRow = {
    userId: send.sender, roomVersion: version.id, membership: 'knock', eventId: answer.eventId, sender: send.sender, origin: answer.origin, bytes: member.bytes,
    strippedState: strippedState.length === 0 ? EMPTY_LIST : strippedState, sequence: place.nextSequence,
  };
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], outside, needs: { closed: [needId] } },
    outputs: [encodeOutside(headerOf(input, version.id), outside)],
    result: { room_id: input.roomId, event_id: answer.eventId },
  };
}
