/**
 * PURE. A slice of a state that another server gave. Each event is checked by its auth events (spec: server-server, "Checks performed on receipt of a PDU", 4), which come before it, and is
 * known from then on; what is rejected is in no state. For a join the slice becomes part of the room's current state, which nobody sees before the join itself.
 */
import { checkAuthorisation } from '../../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { AuthEvent } from '../../../pkg/matrix/auth/check-auth-events.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../../pkg/matrix/ids/room-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { ImportState } from '../../../schemas/log/room-input.ts';
import type { StagedEvent } from '../../../schemas/ports/staged-state.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { NewEvent, StateStep } from '../input/effects.ts';
import { DEFAULT_VISIBILITY } from '../input/history-visibility.ts';
import { refused } from '../input/refused.ts';
import type { RoomHead } from '../input/room-head.ts';
import { isStorable } from '../query/stored-event.ts';
import { COMPLETING } from '../partial/partial-row.ts';
import { stateRef } from '../storage/refs.ts';
import { isServerIn } from './facts.ts';
import { encodeSlice } from './outputs.ts';

const STAGE_IS_GONE = refused(502, 'M_UNKNOWN', 'The state that another server has given is not there any more');

interface Judged {
  readonly staged: StagedEvent;
  readonly pdu: Pdu;
  readonly rejected: boolean;
  /** It was known here before. */
  readonly isKnown: boolean;
}

export function decideImport(deciding: Deciding, head: RoomHead | undefined, slice: ImportState): RoomDecision {
  const { picture: { remote: facts }, input, place } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const staged = facts.slices.get(input.inputId);
  // Other rooms have their turn between two slices.
  if (staged === undefined) return { kind: 'parked', reason: 'its turn comes', untilMs: place.nowMs + 1 };
  const version = roomVersion(slice.roomVersion);
  if (version === undefined || ((slice.current || slice.completes === true) && !isAwaited(deciding, slice.needId))) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  // Taken for all there is, it would leave a state with holes, and others are judged by that.
  if (staged.length < slice.to - slice.from) return rejected(STAGE_IS_GONE);
  const judged = judge(deciding, staged, version);
  const events = judged.filter(({ isKnown }) => !isKnown).map(outlier);
  if (slice.completes === true) return addToState(deciding, head, { slice, version, judged, events });
  const isCurrent = slice.current && !(head !== undefined && isServerIn(facts, head, deciding.signer.serverName));
  if (isCurrent) return becomeCurrent(deciding, { slice, version, judged, events, stateId: (head?.lastStateId ?? 0) + 1 });
  return { kind: 'accepted', effects: { inputId: input.inputId, roomId: input.roomId, events, redactions: [] }, outputs: [], result: {} };
}

/** A slice for a join that has ended by now would spoil the state of the next one. */
function isAwaited({ picture: { remote: facts }, place }: Deciding, needId: string): boolean {
  const need = facts.needs.get(needId);
  return need !== undefined && need !== null && need.answer === undefined && need.deadlineMs > place.nowMs;
}

/** Events that cite something unknown, events of other rooms, and what no table can hold, are left out. */
function judge({ picture: { remote: facts }, input }: Deciding, staged: readonly StagedEvent[], version: RoomVersion): Judged[] {
  const here = new Map<string, AuthEvent>();
  const known = (eventId: string): AuthEvent | undefined => facts.events.get(eventId) ?? here.get(eventId);
  const judged: Judged[] = [];
  for (const one of staged) {
    const before = facts.events.get(one.eventId) ?? undefined;
    const pdu = before?.event ?? (JSON.parse(Buffer.from(one.pdu).toString()) as Pdu);
    const rejected = before?.rejected ?? isRejected({ staged: one, pdu, roomId: input.roomId, version, known });
    if (rejected === undefined) continue;
    if (before === undefined) here.set(one.eventId, { event: pdu, rejected });
    judged.push({ staged: one, pdu, rejected, isKnown: before !== undefined });
  }
  return judged;
}

interface Judging {
  readonly staged: StagedEvent;
  readonly pdu: Pdu;
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly known: (eventId: string) => AuthEvent | undefined;
}

/** undefined: it cannot be judged. */
function isRejected({ staged: { eventId }, pdu, roomId, version, known }: Judging): boolean | undefined {
  const texts = [eventId, pdu.type, pdu.sender, pdu.state_key ?? ''];
  if ((pdu.room_id ?? roomIdOfCreateEvent(eventId)) !== roomId || !texts.every(isStorable)) return undefined;
  const outcome = checkAuthorisation({ event: { roomId, pdu }, version, authEvents: known });
  return outcome.outcome === 'incomplete' ? undefined : outcome.outcome !== 'accepted';
}

function outlier({ staged: { eventId, pdu: bytes }, pdu, rejected }: Judged): NewEvent {
  return {
    eventId, pdu, bytes, kind: 'outlier', verdict: rejected ? 'rejected' : 'accepted', orderKey: null, sequence: null, stateId: null, states: [],
    historyVisibility: DEFAULT_VISIBILITY, deviceId: '', txnId: '', redacts: undefined, stateBeforeDiffers: false, relayOf: '',
  };
}

interface Becoming {
  readonly slice: ImportState;
  readonly version: RoomVersion;
  readonly judged: readonly Judged[];
  readonly events: readonly NewEvent[];
  readonly stateId: number;
}

function becomeCurrent({ input, place }: Deciding, { slice, version, judged, events, stateId }: Becoming): RoomDecision {
  const members = inState(judged);
  const steps = members.map(({ staged: { eventId }, pdu }): StateStep => ({ type: pdu.type, stateKey: pdu.state_key!, entry: { eventId, pdu }, replaces: undefined }));
  const reset = slice.from === 0;
  const state = { stateId, prevStateId: 0, depth: 1, isCurrent: true, steps };
  const isTold = reset || steps.length > 0;
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, events, redactions: [], ...(isTold && { stateImport: { reset, sequence: place.nextSequence, state } }) },
    outputs: isTold ? [encodeSlice(headerOf(input, version.id), { reset, state, pdus: members.map((member) => bytesOf(member, version)) })] : [],
    result: {},
  };
}

/** What the state before the join has nothing under. It stands there from now on, and in the current state, which goes on from it; what has come since under the same key is newer. */
function addToState(deciding: Deciding, head: RoomHead | undefined, { slice, version, judged, events }: Omit<Becoming, 'stateId'>): RoomDecision {
  const { picture: { remote: facts }, input: { inputId, roomId }, signer } = deciding;
  const row = facts.partials.get(roomId);
  const isMeant = row?.state === COMPLETING && row.eventId === facts.needs.get(slice.needId)?.eventId && head !== undefined && isServerIn(facts, head, signer.serverName);
  // Everybody here has left meanwhile, or somebody has come back by another join.
  if (!isMeant) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  const lacking = judged.filter(({ pdu }) => pdu.state_key === undefined || !facts.taken.has(stateRef(roomId, pdu.type, pdu.state_key)));
  if (inState(lacking).length === 0) return { kind: 'accepted', effects: { inputId, roomId, events, redactions: [] }, outputs: [], result: {} };
  return becomeCurrent(deciding, { slice: { ...slice, from: Math.max(1, slice.from) }, version, judged: lacking, events, stateId: row.stateId });
}

/** As it is stored: an event that was known here may have been redacted since. */
function bytesOf({ staged, pdu, isKnown }: Judged, version: RoomVersion): Uint8Array {
  return isKnown ? Buffer.from(eventText(pdu, version)) : staged.pdu;
}

/** A state has one event under a key, whatever it was told to be. */
function inState(judged: readonly Judged[]): Judged[] {
  const byKey = new Map<string, Judged>();
  for (const one of judged) {
    const { staged, pdu, rejected } = one;
    if (!staged.inState || rejected || pdu.state_key === undefined) continue;
    const key = JSON.stringify([pdu.type, pdu.state_key]);
    if (!byKey.has(key)) byKey.set(key, one);
  }
  return [...byKey.values()];
}
