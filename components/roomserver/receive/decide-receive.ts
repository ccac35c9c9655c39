/**
 * PURE. The verdict on an event of another server. What it follows or stands on may be unknown here: then it waits, in a queue of its own room and origin, and another server is asked:
 * first for the events in between, then, where that does not help, for the whole state before it; for its auth events when they are missing; the room's policy server for its signature.
 */
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { CREATE_SLOT } from '../../../pkg/matrix/state-res/slot.ts';
import type { PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import type { ReceivePdu } from '../../../schemas/log/room-input.ts';
import { keyOf } from '../input/check-input.ts';
import { headerOf, NO_EFFECTS, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { NeedChanges, RoomEffects } from '../input/effects.ts';
import { openNeed } from '../input/open-need.ts';
import { encodeEvent } from '../input/outputs.ts';
import { refused } from '../input/refused.ts';
import { afterAsking, ASKING_MS_MAX, signedBytes } from '../policy/judge-received.ts';
import { slim, type GraphAt, type Overlay } from './overlay.ts';
import { placeEvent, type Arrival, type Placement } from './place-event.ts';
import { wholeState } from './resolve-fork.ts';
import { redeem } from './redeem.ts';
import { isLacking, type GraphNeed } from './room-graph.ts';

/** How long an event waits for the events before it, for its auth events, for the state before it, for the room's policy server. */
const WAIT_MS = { missing_events: 30_000, event_auth: 30_000, state_at: 60_000, ask_policy: ASKING_MS_MAX } as const;

/**
 * How often the events in between are asked for while nobody answers, and once more when the state is told: who tells it is back. What a state bridges because nobody has answered is fetched later
 * (`MissingEvents.lacking`); until then it is not seen here, and others go on from it.
 */
const GAP_TRIES = 2;

/** What was purged stays away, whoever sends it once more, and so does what hangs on it alone. */
const PURGED = { status: 404, errcode: 'M_NOT_FOUND', error: 'It is from before what this server keeps of the room' };

interface Received {
  readonly receive: ReceivePdu;
  readonly pdu: Pdu;
  /** What was asked for it before. */
  readonly needs: readonly GraphNeed[];
}

/** Whether this server is in the room, its writer has looked; that the event is what its sender signed, too. */
export function decideReceive(deciding: Deciding, at: GraphAt, { receive, pdu }: Omit<Received, 'needs'>): RoomDecision {
  const needs = needsSoFar(deciding, at);
  if (needs === undefined) return { kind: 'lacking' };
  const received = { receive, pdu, needs };
  const problem = shapeProblem(pdu);
  if (problem !== undefined) return giveUp(deciding, received, { status: 400, errcode: 'M_BAD_JSON', error: problem });
  const placement = place(deciding, at, received);
  switch (placement.kind) {
    case 'lacking':
      return { kind: 'lacking' };
    case 'known':
      return { kind: 'accepted', effects: { ...NO_EFFECTS, needs: closing(needs) }, outputs: [], result: { event_id: receive.eventId, verdict: placement.verdict } };
    case 'missing':
      if (placement.prev.length > 0 && pdu.depth <= at.head.purgedDepth) return giveUp(deciding, received, PURGED);
      return wait(deciding, at, { received, placement });
    case 'unsigned':
      return waitForPolicy(deciding, at, { received, policy: placement.policy });
    case 'placed':
      return accept(deciding, at, { received, placement });
  }
}

/** Only an input that has waited can have asked. The same event may wait as another server's, too. */
function needsSoFar({ input, place: { isAgain } }: Deciding, { graph }: GraphAt): readonly GraphNeed[] | undefined {
  if (isAgain !== true) return [];
  const needs = graph.needs.get(input.inputId);
  if (needs === undefined) graph.wants.needs.add(input.inputId);
  return needs?.filter(({ parkedKey }) => parkedKey === keyOf(input));
}

/** What no event in a room's graph can be, and what no table can hold. */
function shapeProblem(pdu: Pdu): string | undefined {
  const prevs = prevEventIds(pdu);
  if (prevs.length === 0) return 'An event must follow other events of its room';
  const texts = [pdu.type, pdu.sender, pdu.state_key ?? '', ...prevs];
  return texts.every((text) => !text.includes('\0') && text.isWellFormed()) ? undefined : 'An identifier of the event holds a character that is not allowed';
}

function place(deciding: Deciding, at: GraphAt, { receive, pdu: sent, needs }: Received): Placement {
  const { asked, sign } = afterAsking(needs.find(({ kind }) => kind === 'ask_policy'), deciding.place.nowMs);
  const pdu = sign(sent);
  const arrival: Arrival = {
    eventId: receive.eventId, pdu, bytes: pdu === sent ? receive.pdu : signedBytes(pdu, at.head), kind: 'received', sequence: deciding.place.nextSequence, relayOf: receive.relay ? receive.origin : '',
    deviceId: '', txnId: '', policy: asked,
  };
  const placement = placeEvent(at, arrival);
  if (placement.kind !== 'missing' || placement.prev.length === 0) return placement;
  const stageId = needs.find(({ kind, answer }) => kind === 'state_at' && answer?.status === 200)?.answer?.stageId;
  if (stageId === undefined || stageId === '' || mayCloseGap(deciding, { receive, needs })) return placement;
  const stateBefore = stagedState(at, stageId);
  if (stateBefore === 'absurd') return placement;
  return stateBefore === undefined ? { kind: 'lacking' } : placeEvent(at, { ...arrival, stateBefore });
}

/** The state that another server has told, as an overlay; undefined: lacking; `absurd`: no state of this room is without its create event. */
export function stagedState(at: GraphAt, stageId: string): Overlay | 'absurd' | undefined {
  const whole = wholeState(at);
  const staged = at.graph.stages.get(stageId);
  if (staged === undefined) at.graph.wants.stages.add(stageId);
  if (whole === undefined || staged === undefined) return undefined;
  if (staged.get(CREATE_SLOT) !== whole.get(CREATE_SLOT)) return 'absurd';
  const overlay = slim(at, new Map([...whole.keys(), ...staged.keys()].map((slot) => [slot, staged.get(slot)])));
  return isLacking(at.graph) ? undefined : overlay;
}

interface Waiting {
  readonly received: Received;
  readonly placement: Extract<Placement, { kind: 'missing' }>;
}

function wait(deciding: Deciding, at: GraphAt, { received, placement }: Waiting): RoomDecision {
  const { receive, needs } = received;
  const kinds = placement.auth.length > 0 ? (['event_auth'] as const)
    // What was fetched to close a gap and does not reach back to what is known here is not a case for more of the same.
    : receive.needId === '' ? (['missing_events', 'state_at'] as const) : (['state_at'] as const);
  for (const kind of kinds) {
    const open = openOf(deciding, needs, kind);
    if (open !== undefined) return { kind: 'parked', reason: reasonOf(placement), untilMs: open.deadlineMs };
    if (hasTriesLeft(needs, kind)) return ask(deciding, at, { received, kind, reason: reasonOf(placement), lacking: placement.prev });
  }
  return giveUp(deciding, received, { status: 404, errcode: 'M_NOT_FOUND', error: reasonOf(placement) });
}

/** Its signature is missing, or was made with a key that the room does not name any more. */
function waitForPolicy(deciding: Deciding, at: GraphAt, { received, policy }: { received: Received; policy: PolicyServer }): RoomDecision {
  const reason = `needs the policy server ${policy.serverName}`;
  const need = received.needs.find(({ kind }) => kind === 'ask_policy');
  return need === undefined ? ask(deciding, at, { received, kind: 'ask_policy', reason, policy }) : { kind: 'parked', reason, untilMs: need.deadlineMs };
}

/** Although the state is told: a server that was silent about the events in between may give them now. */
function mayCloseGap(deciding: Deciding, { receive, needs }: Pick<Received, 'receive' | 'needs'>): boolean {
  return receive.needId === '' && (openOf(deciding, needs, 'missing_events') !== undefined || hasTriesLeft(needs, 'missing_events'));
}

function openOf({ place: { nowMs } }: Deciding, needs: readonly GraphNeed[], kind: string): GraphNeed | undefined {
  return needs.find((one) => one.kind === kind && one.answer === undefined && nowMs < one.deadlineMs);
}

function hasTriesLeft(needs: readonly GraphNeed[], kind: string): boolean {
  const asked = needs.filter((one) => one.kind === kind);
  if (kind !== 'missing_events' || !asked.every(isUnanswered)) return asked.length === 0;
  return asked.length < GAP_TRIES + (needs.some((one) => one.kind === 'state_at' && one.answer?.status === 200) ? 1 : 0);
}

/** No word of what was asked for: the server may well have it. */
function isUnanswered({ answer }: GraphNeed): boolean {
  return answer === undefined || answer.status >= 500;
}

function reasonOf({ prev, auth }: Waiting['placement']): string {
  return auth.length > 0 ? `its auth event ${auth[0]} is not known` : `it follows ${prev[0]}, which is not known`;
}

interface Asking {
  readonly received: Received;
  readonly kind: keyof typeof WAIT_MS;
  readonly reason: string;
  /** What it follows and is not known. */
  readonly lacking?: readonly string[];
  readonly policy?: PolicyServer;
}

function ask(deciding: Deciding, { head }: GraphAt, { received, kind, reason, lacking = [], policy }: Asking): RoomDecision {
  const { receive: { origin, eventId, pdu }, needs } = received;
  const about = { origin, eventId };
  const body = {
    missing_events: { missingEvents: { ...about, earliest: [...head.extremities], minDepth: 0, lacking: [...lacking] } },
    event_auth: { eventAuth: about },
    state_at: { stateAt: about },
    ask_policy: { askPolicy: { policy, eventId, pdu, isOurs: false } },
  }[kind];
  const { input, place: { nowMs } } = deciding;
  // Two servers may have sent the event, and what was asked in vain is asked again when it comes again.
  const needId = `${input.inputId}#${needs.length + 1}.${nowMs}.${origin}`;
  return openNeed(deciding, { needId, kind, body, key: keyOf(input), msMax: WAIT_MS[kind], reason, roomVersion: head.version.id, eventId });
}

function accept(deciding: Deciding, at: GraphAt, { received, placement }: { received: Received; placement: Extract<Placement, { kind: 'placed' }> }): RoomDecision {
  const { input } = deciding;
  const { event, redactions, reason } = placement;
  // Its sender does not have the policy server's signature.
  const isSignedHere = received.needs.some(({ kind }) => kind === 'ask_policy');
  const { events, room } = event.verdict === 'accepted' ? redeem(at, event, placement.room) : { events: [], room: placement.room };
  const effects: RoomEffects = {
    inputId: input.inputId, roomId: input.roomId, room, events: [event, ...events], redactions, needs: closing(received.needs),
  };
  return {
    kind: 'accepted', effects, outputs: event.verdict === 'accepted' ? [event, ...events].map((one) => encodeEvent(headerOf(input, at.head.version.id), one)) : [],
    result: { event_id: event.eventId, verdict: event.verdict, ...(reason !== '' && { reason }), ...(isSignedHere && { signatures: event.pdu.signatures }) },
  };
}

function giveUp({ input }: Deciding, { needs }: Received, outcome: { status: number; errcode: string; error: string }): RoomDecision {
  const why = refused(outcome.status, outcome.errcode, outcome.error);
  return { kind: 'rejected', outcome: why, ...(needs.length > 0 && { effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: closing(needs) } }) };
}

function closing(needs: readonly GraphNeed[]): NeedChanges {
  return { closed: needs.map(({ needId }) => needId) };
}
