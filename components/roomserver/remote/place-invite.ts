/** PURE. An invite that comes back signed by the invited user's server: it takes its place in the graph, where the room has gone on meanwhile. */
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { Answer, SendEvent } from '../../../schemas/log/room-input.ts';
import { headerOf, type Deciding, type RoomDecision } from '../input/decision.ts';
import { encodeEvent } from '../input/outputs.ts';
import { parseContent } from '../input/parse-content.ts';
import { graphAt } from '../input/picture.ts';
import { forbidden } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';
import { placeEvent } from '../receive/place-event.ts';
import type { RemoteNeed } from './facts.ts';
import { badAnswer, giveUp } from './needs.ts';

interface Signed {
  readonly deciding: Deciding;
  readonly head: RoomHead;
  readonly send: SendEvent;
  readonly need: RemoteNeed;
  readonly answer: Answer;
}

/** Authorised again, at its own place and by the state of now: an invite that is no longer allowed is refused. */
export function placeInvite({ deciding, head, send, need, answer }: Signed): RoomDecision {
  const { picture, input, place } = deciding;
  const pdu = withSignature(need, answer, domainOf(send.event.stateKey!));
  if (pdu === undefined) return giveUp(deciding, need.needId, badAnswer('the invite is not signed'));
  const placement = placeEvent(graphAt(picture, head), {
    eventId: need.eventId, pdu, bytes: Buffer.from(eventText(pdu, head.version)), kind: 'received', sequence: place.nextSequence, relayOf: '', deviceId: send.deviceId, txnId: send.txnId,
  });
  if (placement.kind === 'lacking') return { kind: 'lacking' };
  if (placement.kind === 'missing') throw new Error(`an invite of this server follows ${[...placement.prev, ...placement.auth].join(' ')}, which it does not know`);
  const closed = { closed: [need.needId] };
  if (placement.kind === 'known') {
    return { kind: 'accepted', effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: closed }, outputs: [], result: { event_id: need.eventId } };
  }
  const { event, room, reason } = placement;
  if (event.verdict !== 'accepted') return giveUp(deciding, need.needId, forbidden(reason));
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, room, events: [event], redactions: [], needs: closed },
    outputs: [encodeEvent(headerOf(input, head.version.id), event)],
    result: { event_id: event.eventId },
  };
}

/** The event as it was built here, with nothing of the answer but the signatures of that server. */
function withSignature({ event }: RemoteNeed, answer: Answer, server: string): Pdu | undefined {
  const given = (parseContent(answer.pdu) as Partial<Pdu> | undefined)?.signatures;
  const signatures = typeof given === 'object' && given !== null && Object.hasOwn(given, server) ? given[server] : undefined;
  if (event === null || typeof signatures !== 'object') return undefined;
  const pdu = JSON.parse(Buffer.from(event).toString()) as Pdu;
  return { ...pdu, signatures: { ...pdu.signatures, [server]: signatures } };
}
