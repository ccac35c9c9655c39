/**
 * PURE. Events that were made here, in rooms with a policy server (spec: server-server, "Asking for a Policy Server signature on an event"): each is prepared and signed by that server before
 * anybody is told of it. The room goes on meanwhile, so it comes in as a fork; what one user sends keeps its order, and waits for nobody else's. The first events of a new room are nobody's business
 * but its maker's: they are not shown to anybody.
 */
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { EventDraft, Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isSignedByPolicy, policySignatureIn, withPolicySignature } from '../../../pkg/matrix/policy/policy-server.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import type { Answer, RoomInput } from '../../../schemas/log/room-input.ts';
import { parkingKey } from '../input/check-input.ts';
import { headerOf, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { NewEvent } from '../input/effects.ts';
import { openNeed } from '../input/open-need.ts';
import { encodeEvent } from '../input/outputs.ts';
import { parseContent } from '../input/parse-content.ts';
import { graphAt } from '../input/picture.ts';
import { forbidden, refused } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';
import { placeEvent } from '../receive/place-event.ts';
import { relationProblem } from '../relations/judge-relation.ts';
import type { RemoteNeed } from '../remote/facts.ts';
import { giveUp, isPending, isTooLate, needIdOf, NOBODY_ANSWERED, sameAtWork, waitFor } from '../remote/needs.ts';
import { policyFor, policyServerOf } from './policing.ts';

/** Whoever sends is told within 5 s, whatever the policy server does, also where this server itself has much to do. */
const POLICY_MS_MAX = 3500;

const SILENT = refused(504, 'M_UNKNOWN', "The room's policy server did not answer in time, so the event was not sent");
const CHANGED = refused(502, 'M_UNKNOWN', 'The room has got another policy server meanwhile, so the event was not sent');
const NO_FIELDS: Readonly<Record<string, unknown>> = {};

/** Has the room's policy server look at the event; undefined: nobody needs to. */
export function askPolicy(deciding: Deciding, head: RoomHead, { eventId, pdu, bytes }: NewEvent): RoomDecision | undefined {
  const policy = policyFor(head, pdu);
  if (policy === undefined) return undefined;
  const { picture, input } = deciding;
  if (policy === 'lacking' || !picture.remote.read.has(input.inputId)) return { kind: 'lacking' };
  if (isTooLate(deciding)) return rejected(NOBODY_ANSWERED);
  return sameAtWork(deciding) ?? openNeed(deciding, {
    needId: policyNeedId(input), kind: 'ask_policy', key: parkingKey(input.roomId, 'policy', pdu.sender), msMax: POLICY_MS_MAX, reason: `needs the policy server ${policy.serverName}`,
    roomVersion: head.version.id, eventId, event: bytes, body: { askPolicy: { policy, eventId, pdu: bytes, isOurs: true } },
  });
}

/** What becomes of the event that this input had prepared for the policy server; undefined: it had not. `from`: whose device sent it. */
export function decidePrepared(deciding: Deciding, head: RoomHead, from: { readonly deviceId: string; readonly txnId: string }): RoomDecision | undefined {
  const { picture: { remote: facts }, input, place } = deciding;
  if (place.isAgain !== true) return undefined;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const need = facts.needs.get(policyNeedId(input)) ?? undefined;
  if (need === undefined) return undefined;
  if (isPending(need, place)) return waitFor(need);
  if (need.answer === undefined) return giveUp(deciding, need.needId, SILENT);
  if (need.answer.status !== 200) return giveUp(deciding, need.needId, policyRefusal(need.answer));
  const policy = policyServerOf(head);
  if (policy === 'lacking') return { kind: 'lacking' };
  const pdu = signedBy(need, need.answer);
  // The room may want another server's word by now, or nobody's.
  if (policy !== undefined && !isSignedByPolicy(pdu, head.version, policy)) return giveUp(deciding, need.needId, CHANGED);
  return placePrepared(deciding, head, { need, pdu, from });
}

/** The event as it was built here, with nothing of the answer but the policy server's signature. */
function signedBy({ event }: RemoteNeed, { origin, pdu: answered }: Answer): Pdu {
  const pdu = JSON.parse(Buffer.from(event!).toString()) as Pdu;
  const signature = policySignatureIn(parseContent(answered)?.['signatures'], origin);
  return signature === undefined ? pdu : withPolicySignature(pdu, origin, signature);
}

/** Authorised again, at its own place and by the state of now. */
function placePrepared(deciding: Deciding, head: RoomHead, prepared: { need: RemoteNeed; pdu: Pdu; from: { readonly deviceId: string; readonly txnId: string } }): RoomDecision {
  const { picture, input, place } = deciding;
  const { need: { needId, eventId }, pdu, from: { deviceId, txnId } } = prepared;
  const problem = relationProblem(picture, input.roomId, pdu as EventDraft);
  if (problem !== undefined) return giveUp(deciding, needId, problem);
  const at = graphAt(picture, head);
  // The policy server has had it in its hands: it may have come back already, as part of a state.
  const kind = at.graph.events.get(eventId) ? 'received' : 'local';
  const placement = placeEvent(at, { eventId, pdu, bytes: Buffer.from(eventText(pdu, head.version)), kind, sequence: place.nextSequence, relayOf: '', deviceId, txnId });
  if (placement.kind === 'lacking') return { kind: 'lacking' };
  const done = { inputId: input.inputId, roomId: input.roomId, needs: { closedOf: input.inputId } };
  if (placement.kind === 'known') return { kind: 'accepted', effects: { ...done, events: [], redactions: [] }, outputs: [], result: { event_id: eventId } };
  if (placement.kind !== 'placed') throw new Error(`an event of this server follows what it does not know (${placement.kind})`);
  const { event, room, redactions, reason } = placement;
  if (event.verdict !== 'accepted') return giveUp(deciding, needId, forbidden(reason));
  return {
    kind: 'accepted', effects: { ...done, room, events: [event], redactions }, outputs: [encodeEvent(headerOf(input, head.version.id), event)], result: { event_id: eventId },
  };
}

/** The policy server's own words for the client ("that error SHOULD be provided to the client verbatim"); what it forbids is forbidden. */
export function policyRefusal({ status, errcode, error, errorFields }: Answer): RejectedOutcome {
  const fields = errorFields === undefined ? NO_FIELDS : parseContent(errorFields) ?? NO_FIELDS;
  return { ...refused(errcode === 'M_FORBIDDEN' ? 403 : status, errcode, error), ...(Object.keys(fields).length > 0 && { fields: { ...fields } }) };
}

/** Not that of the command itself: a join may have asked another server before. */
function policyNeedId(input: RoomInput): string {
  return `${needIdOf(input)}.policy`;
}
