/**
 * PURE. Puts an event of another server (or one that another server had to sign) into the room's graph: steps 4 to 7 of the checks on receipt, the state before and after it, the forward
 * extremities and the current state that follow from it (spec: server-server, "Checks performed on receipt of a PDU", "Soft failure"; rooms/, state resolution).
 */
import { mayRedact } from '../../../pkg/matrix/auth/may-redact.ts';
import { roomPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { checkAuthorisation, type AuthorisationOutcome } from '../../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { prevEventIds, redactsOf, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { redact } from '../../../pkg/matrix/events/redact.ts';
import { slotOf } from '../../../pkg/matrix/state-res/slot.ts';
import type { PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import type { NewEvent, Redaction, RoomRow } from '../input/effects.ts';
import { visibilityAt } from '../input/history-visibility.ts';
import { knowsState, rowAfter } from '../input/room-head.ts';
import { isShown } from '../input/shown.ts';
import { judgeReceived, type PolicyAsked } from '../policy/judge-received.ts';
import { redactedEarly, waitsFor } from './early-redactions.ts';
import { extremitiesAfter } from './forward-extremities.ts';
import { goOn, noteMeeting } from './meeting.ts';
import { CURRENT, isSameState, lookupAt, type GraphAt, type Overlay } from './overlay.ts';
import { coverNew } from './room-cover.ts';
import { isLacking, lookForEvent } from './room-graph.ts';
import { States, type StateAt } from './states.ts';

/** An event that has arrived, its integrity checked. */
export interface Arrival {
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly bytes: Uint8Array;
  readonly kind: 'local' | 'received';
  /** Of the record that will announce it. */
  readonly sequence: number;
  readonly relayOf: string;
  readonly deviceId: string;
  readonly txnId: string;
  /** The state before it as its server tells it, where its previous events are not known here. */
  readonly stateBefore?: Overlay;
  /** What the room's policy server has said; absent: nobody asks it (step 7 of the spec). */
  readonly policy?: PolicyAsked;
}

export type Placement =
  | { readonly kind: 'lacking' }
  /** It has its place already. */
  | { readonly kind: 'known'; readonly verdict: NewEvent['verdict'] }
  /** It follows, or is authorised by, events that this server does not know. */
  | { readonly kind: 'missing'; readonly prev: readonly string[]; readonly auth: readonly string[] }
  /** The room's policy server is to be asked. */
  | { readonly kind: 'unsigned'; readonly policy: PolicyServer }
  | { readonly kind: 'placed'; readonly event: NewEvent; readonly room: RoomRow; readonly redactions: readonly Redaction[]; readonly reason: string };

/**
 * 1 known already · 2 previous events · 3 the state before it · 4 auth events, state before, current state, policy server (the spec's 4 to 7) · 5 the state after it · 6 forward extremities and the current
 * state · 7 redactions.
 */
export function placeEvent(at: GraphAt, arrival: Arrival): Placement {
  // 1.
  const known = lookForEvent(at.graph, arrival.eventId);
  if (!known) return placeNew(at, arrival);
  // Where servers name their events themselves, one may give the same name twice: it is that of the first event that was heard of.
  if (known.roomId !== at.head.roomId) return { kind: 'known', verdict: 'rejected' };
  // History keeps its place in the timeline, whoever sends it once more.
  return known.stateId === null && known.orderKey === null ? placeNew(at, asKnown(at, arrival, known.pdu)) : { kind: 'known', verdict: known.rejected ? 'rejected' : known.softFailed ? 'softFailed' : 'accepted' };
}

function placeNew(at: GraphAt, arrival: Arrival): Placement {
  const { graph } = at;
  // 2.
  const prevs = prevEventIds(arrival.pdu);
  const unplacedPrevs = prevs.filter((eventId) => !isPlaced(at, eventId));
  if (isLacking(graph)) return { kind: 'lacking' };
  if (arrival.stateBefore === undefined && unplacedPrevs.length > 0) return { kind: 'missing', prev: unplacedPrevs, auth: [] };
  // 3.
  const states = new States(at);
  const before = arrival.stateBefore === undefined ? stateBefore(at, states, prevs) : states.asState(arrival.stateBefore);
  if (before === undefined) return { kind: 'lacking' };
  // 4.
  const outcome = judge(at, arrival, before.overlay);
  return 'kind' in outcome ? outcome : settle(at, { ...asRedacted(at, arrival), states, before, outcome, unplacedPrevs });
}

/** The verdict, or what it needs. */
function judge(at: GraphAt, arrival: Arrival, before: Overlay): Settling['outcome'] | Placement {
  const outcome = authorise(at, arrival, before);
  if (isLacking(at.graph)) return { kind: 'lacking' };
  if (outcome.outcome === 'incomplete') return { kind: 'missing', prev: [], auth: outcome.missing };
  // A state that another server has told may let an event in, as far as the current state does, too. It puts none out for good: it may be a lie, and others judge by what is rejected.
  if (arrival.stateBefore !== undefined && outcome.outcome === 'rejected' && outcome.step === 5) return { kind: 'missing', prev: prevEventIds(arrival.pdu), auth: [] };
  if (outcome.outcome !== 'accepted' || arrival.policy === undefined) return outcome;
  const recommended = judgeReceived(at.head, arrival.pdu, arrival.policy);
  if (recommended.kind === 'refused') return { outcome: 'softFailed', step: 7, reason: recommended.reason };
  return recommended.kind === 'recommended' ? outcome : recommended;
}

/** In its place an event is what it was as an outlier. */
function asKnown({ head: { version } }: GraphAt, arrival: Arrival, pdu: Pdu): Arrival {
  return version.eventIdFormat === 'opaque' ? { ...arrival, pdu, bytes: Buffer.from(eventText(pdu, version)) } : arrival;
}

function isPlaced({ graph, head }: GraphAt, eventId: string): boolean {
  const event = lookForEvent(graph, eventId);
  return event !== null && event !== undefined && event.stateId !== null && event.roomId === head.roomId;
}

/** The resolution of the states after the previous events. */
function stateBefore(at: GraphAt, states: States, prevs: readonly string[]): StateAt | undefined {
  return states.resolve(prevs.map((eventId) => at.graph.events.get(eventId)!.stateId!));
}

function authorise(at: GraphAt, { pdu }: Arrival, before: Overlay): AuthorisationOutcome {
  const { head } = at;
  return checkAuthorisation({
    event: { roomId: head.roomId, pdu },
    version: head.version,
    authEvents: (authId) => {
      const event = lookForEvent(at.graph, authId);
      return event === null || event === undefined ? undefined : { event: event.pdu, rejected: event.rejected };
    },
    stateBefore: lookupAt(at, before),
    // Where both are one, the second look would say what the first has said.
    currentState: before.size === 0 ? undefined : lookupAt(at, CURRENT),
  });
}

/** From here on it is what a redaction that came first has left of it. */
function asRedacted(at: GraphAt, arrival: Arrival): Pick<Settling, 'arrival' | 'original' | 'early'> {
  const early = redactedEarly(at, arrival.eventId, arrival.pdu);
  const settled = early === undefined ? arrival : { ...arrival, pdu: early.pdu, bytes: early.redaction.bytes };
  return { arrival: settled, original: arrival.pdu, early: early?.redaction };
}

interface Settling {
  readonly arrival: Arrival;
  readonly original: Pdu;
  readonly early: Redaction | undefined;
  readonly states: States;
  readonly before: StateAt;
  readonly outcome: Exclude<AuthorisationOutcome, { outcome: 'incomplete' }>;
  readonly unplacedPrevs: readonly string[];
}

function settle(at: GraphAt, settling: Settling): Placement {
  const { arrival, states, before, outcome } = settling;
  const isAccepted = outcome.outcome === 'accepted';
  // 5.
  const after = stateAfter(at, settling);
  // 6. Softly failed events are not followed by what is made here, and rejected ones by nothing.
  const extremities = isAccepted ? extremitiesAfter(at, arrival.eventId, arrival.pdu) : at.head.extremities;
  if (isLacking(at.graph)) return { kind: 'lacking' };
  const current = isAccepted ? currentAfter(at, settling, { extremities, after }) : undefined;
  if (isLacking(at.graph) || (isAccepted && current === undefined)) return { kind: 'lacking' };
  const news = states.finish(current);
  // 7.
  const redacting = redactingOf(at, settling);
  const historyVisibility = visibilityAt(lookupAt(at, before.overlay), arrival.pdu);
  if (news === undefined || isLacking(at.graph)) return { kind: 'lacking' };
  const { eventId, pdu, bytes, kind, deviceId, txnId, relayOf } = arrival;
  const event: NewEvent = {
    eventId, pdu, bytes, kind, verdict: outcome.outcome, orderKey: isAccepted && isShown(pdu) ? at.head.orderKey + 1 : null, sequence: isAccepted ? arrival.sequence : null,
    stateId: states.idOf(after), states: news, historyVisibility, deviceId, txnId, redacts: redacting.redacts, stateBeforeDiffers: before.overlay.size > 0, relayOf,
    ...redacting.more,
    ...(settling.unplacedPrevs.length > 0 && { unplacedPrevs: settling.unplacedPrevs }),
  };
  return { kind: 'placed', event, room: rowAfter(at.head, event, extremities), redactions: redacting.redactions, reason: isAccepted ? '' : outcome.reason };
}

interface Redacting {
  readonly redacts: string | undefined;
  readonly redactions: readonly Redaction[];
  readonly more: Pick<NewEvent, 'waitsFor' | 'redactedBy'>;
}

/** What the event redacts, or will redact, and what has redacted it. */
function redactingOf(at: GraphAt, { arrival, original, early, before, outcome }: Settling): Redacting {
  const isAccepted = outcome.outcome === 'accepted';
  const redaction = isAccepted ? redactionBy(at, { ...arrival, pdu: original }, before.overlay) : undefined;
  const waiting = isAccepted ? waitsFor(at, original, before.overlay) : undefined;
  return {
    redacts: redaction?.eventId, redactions: [redaction, early].filter((one) => one !== undefined),
    more: { ...(waiting !== undefined && { waitsFor: waiting }), ...(early !== undefined && { redactedBy: early.redactedBy }) },
  };
}

/** A rejected event changes no state. */
function stateAfter(at: GraphAt, { arrival, states, before, outcome }: Settling): StateAt {
  const { eventId, pdu } = arrival;
  if (pdu.state_key === undefined || outcome.outcome === 'rejected') return before;
  // From here on others may be judged by it.
  addProvisionally(at, arrival);
  return states.change(before, slotOf(pdu.type, pdu.state_key), { eventId, pdu });
}

function addProvisionally({ head, graph }: GraphAt, { eventId, pdu }: Arrival): void {
  if (graph.events.get(eventId)) return;
  if (knowsState(head, pdu.type, pdu.state_key!)) coverNew(graph.cover, { eventId, pdu }, head.createEventId);
  graph.provisional.add(eventId);
  graph.events.set(eventId, { eventId, roomId: graph.roomId, pdu, stateId: null, orderKey: null, rejected: false, softFailed: false, redacted: false });
}

/** The resolution of the states after all forward extremities; undefined: lacking. */
function currentAfter(at: GraphAt, { arrival: { eventId, pdu, stateBefore: told }, states, before }: Settling, { extremities, after }: { extremities: readonly string[]; after: StateAt }): StateAt | undefined {
  const changes = told === undefined ? goOn(at, { eventId, pdu, extremities, before: before.overlay }) : undefined;
  const current = changes && states.changeCurrent(changes);
  if (current !== undefined) return isSameState(current.overlay, after.overlay) ? after : current;
  if (isLacking(at.graph)) return undefined;
  const events = extremities.filter((one) => one !== eventId).map((extremity) => lookForEvent(at.graph, extremity));
  if (isLacking(at.graph)) return undefined;
  const others = events.map((event) => event!.stateId!);
  at.graph.settled = undefined;
  const resolved = states.resolve(others, extremities.includes(eventId) ? after : undefined);
  if (resolved !== undefined) noteMeeting(at, extremities);
  return resolved;
}

/** A redaction of an event that is known here. */
function redactionBy(at: GraphAt, { eventId, pdu }: Arrival, before: Overlay): Redaction | undefined {
  const { head, graph } = at;
  const redacts = redactsOf(pdu, head.version);
  if (redacts === undefined) return undefined;
  const target = lookForEvent(graph, redacts);
  if (!target || target.roomId !== head.roomId || target.redacted || target.pdu.type === 'm.room.create') return undefined;
  if (!mayRedact(pdu, target.pdu, { power: roomPower(lookupAt(at, before), head.version), version: head.version })) return undefined;
  return { eventId: redacts, redactedBy: eventId, bytes: Buffer.from(eventText(redact(target.pdu, head.version), head.version)) };
}

