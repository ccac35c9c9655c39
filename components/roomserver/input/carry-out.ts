/** PURE. What becomes of a room by an event that was made here. */
import { prevEventIds } from '../../../pkg/matrix/events/pdu.ts';
import { placeEvent } from '../receive/place-event.ts';
import { headerOf, rejected, type Deciding, type RoomDecision } from './decision.ts';
import type { NeedChanges, NewEvent } from './effects.ts';
import { PREV_EVENTS_MAX, type MadeEvent } from './make-event.ts';
import { encodeEvent } from './outputs.ts';
import { graphAt } from './picture.ts';
import { forbidden } from './refused.ts';
import { rowAfter, type RoomHead } from './room-head.ts';

type Made = Extract<MadeEvent, { kind: 'made' }>;

/**
 * The event follows all branches of the room, and the state before it is the current one; or, where there are more branches than an event may follow, it follows some of them, takes its
 * place in the graph like an event of another server, and is refused where the state of just these branches does not allow it.
 */
export function carryOut(deciding: Deciding, head: RoomHead, made: Made, needs?: NeedChanges): RoomDecision {
  const placed = head.extremities.length <= PREV_EVENTS_MAX
    ? { event: made.event, room: rowAfter(head, made.event, extremitiesAfter(head, made.event)), redactions: made.redaction === undefined ? [] : [made.redaction] }
    : placeOnSome(deciding, head, made.event);
  if (placed === undefined) return { kind: 'lacking' };
  if (typeof placed === 'string') return rejected(forbidden(placed));
  const { input } = deciding;
  const { event, room, redactions } = placed;
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, room, events: [event], redactions, ...(needs !== undefined && { needs }) },
    outputs: [encodeEvent(headerOf(input, head.version.id), event)],
    result: { event_id: event.eventId },
  };
}

/** undefined: lacking; a text: why it is not allowed there. */
function placeOnSome({ picture }: Deciding, head: RoomHead, made: NewEvent) {
  const placement = placeEvent(graphAt(picture, head), { ...made, kind: 'local', sequence: made.sequence! });
  if (placement.kind === 'lacking') return undefined;
  if (placement.kind !== 'placed') throw new Error(`an event of this server follows what it does not know (${placement.kind})`);
  const { event, room, redactions, reason } = placement;
  return event.verdict === 'accepted' ? { event, room, redactions } : reason;
}

/** The event joins the branches that it follows. */
function extremitiesAfter(head: RoomHead, { eventId, pdu }: NewEvent): string[] {
  const followed = new Set(prevEventIds(pdu));
  return [...head.extremities.filter((extremity) => !followed.has(extremity)), eventId];
}
