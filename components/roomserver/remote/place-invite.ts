/** PURE. An invite that comes back signed by the invited user's server: it takes its place in the graph, where the room has gone on meanwhile. */
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isSignedByPolicy, policySignatureIn, withPolicySignature, type PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import type { Answer, SendEvent } from '../../../schemas/log/room-input.ts';
import { headerOf, type Deciding, type RoomDecision } from '../input/decision.ts';
import { encodeEvent } from '../input/outputs.ts';
import { parseContent } from '../input/parse-content.ts';
import { graphAt } from '../input/picture.ts';
import { forbidden } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';
import { policyServerOf } from '../policy/policing.ts';
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
  const policy = policyServerOf(head);
  if (policy === 'lacking') return { kind: 'lacking' };
  const pdu = withSignatures(need, answer, { server: domainOf(send.event.stateKey!), policy });
  if (pdu === undefined) return giveUp(deciding, need.needId, badAnswer('the invite is not signed'));
  if (policy !== undefined && !isSignedByPolicy(pdu, head.version, policy)) return giveUp(deciding, need.needId, badAnswer("the room's policy server has not signed the invite"));
  const placement = placeEvent(graphAt(picture, head), {
    eventId: need.eventId, pdu, bytes: Buffer.from(eventText(pdu, head.version)), kind: 'received', sequence: place.nextSequence, relayOf: '', deviceId: send.deviceId, txnId: send.txnId,
  });
  if (placement.kind === 'lacking') return { kind: 'lacking' };
  if (placement.kind === 'missing' || placement.kind === 'unsigned') throw new Error(`an invite of this server cannot be placed (${placement.kind})`);
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

/** The event as it was built here, with nothing of the answer but the signatures of that server and of the room's policy server. */
function withSignatures({ event }: RemoteNeed, answer: Answer, { server, policy }: { server: string; policy: PolicyServer | undefined }): Pdu | undefined {
  const given = (parseContent(answer.pdu) as Partial<Pdu> | undefined)?.signatures;
  const signatures = typeof given === 'object' && given !== null && Object.hasOwn(given, server) ? given[server] : undefined;
  if (event === null || typeof signatures !== 'object') return undefined;
  const pdu = JSON.parse(Buffer.from(event).toString()) as Pdu;
  const signed: Pdu = { ...pdu, signatures: { ...pdu.signatures, [server]: signatures } };
  const byPolicy = policy && policySignatureIn(given, policy.serverName);
  return policy === undefined || byPolicy === undefined ? signed : withPolicySignature(signed, policy.serverName, byPolicy);
}
