/** PURE. A join or leave that another server helped with, in a room that this server is in: it takes its place in the graph like any event of another server. */
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import { headerOf, type RoomDecision } from '../input/decision.ts';
import { encodeEvent } from '../input/outputs.ts';
import { graphAt } from '../input/picture.ts';
import { forbidden } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';
import { stagedState } from '../receive/decide-receive.ts';
import type { GraphAt } from '../receive/overlay.ts';
import { placeEvent, type Arrival, type Placement } from '../receive/place-event.ts';
import type { OwnMembership } from './own-membership.ts';
import { badAnswer, giveUp } from './needs.ts';
import { readAnsweredMember } from './read-answer.ts';

export function placeMember({ deciding, send, membership }: OwnMembership, { head, needId, answer }: { head: RoomHead; needId: string; answer: Answer }): RoomDecision {
  const { picture, input, place } = deciding;
  const member = readAnsweredMember(answer, { roomId: input.roomId, version: head.version, userId: send.sender, membership });
  if ('problem' in member) return giveUp(deciding, needId, badAnswer(member.problem));
  if (eventIdOf(member.pdu, head.version) !== answer.eventId) return giveUp(deciding, needId, badAnswer('the event is not the one that it is called'));
  const at = graphAt(picture, head);
  // A state that came without its members is none to stand on.
  const placement = placeWithState(at, answer.membersOmitted === true ? '' : answer.stageId, {
    ...member, eventId: answer.eventId, kind: 'received', sequence: place.nextSequence, relayOf: '', deviceId: send.deviceId, txnId: send.txnId,
  });
  if (placement.kind === 'lacking') return { kind: 'lacking' };
  if (placement.kind === 'unsigned') throw new Error('nobody asked for a policy server');
  if (placement.kind === 'missing') return giveUp(deciding, needId, badAnswer(`it does not tell of ${[...placement.auth, ...placement.prev][0]}`));
  const result = { room_id: input.roomId, event_id: answer.eventId };
  const effects = { inputId: input.inputId, roomId: input.roomId, redactions: [], needs: { closed: [needId] } };
  if (placement.kind === 'known') return { kind: 'accepted', effects: { ...effects, events: [] }, outputs: [], result };
  const { event, room, reason } = placement;
  if (event.verdict !== 'accepted') return giveUp(deciding, needId, forbidden(reason));
  return { kind: 'accepted', effects: { ...effects, room, events: [event] }, outputs: [encodeEvent(headerOf(input, head.version.id), event)], result };
}

/** Where it follows events that are not known here, it stands on the state that the other server gave with it. */
function placeWithState(at: GraphAt, stageId: string, arrival: Arrival): Placement {
  const placement = placeEvent(at, arrival);
  if (placement.kind !== 'missing' || placement.prev.length === 0 || stageId === '') return placement;
  const stateBefore = stagedState(at, stageId);
  if (stateBefore === 'absurd') return placement;
  return stateBefore === undefined ? { kind: 'lacking' } : placeEvent(at, { ...arrival, stateBefore });
}
