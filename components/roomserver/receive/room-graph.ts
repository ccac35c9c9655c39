/**
 * What is known of a room's graph while a batch is decided: events that inputs refer to, and the tree of states near the head. It is filled by `load-graph.ts` as decisions
 * find it lacking, and by the batch's own events as they are accepted. `decide` asks through `lookFor…` functions: what is not there yet is noted in `wants`, and the decision made again later.
 */
import { slotOf, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { authEventIds, prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import type { NeedRow, NewEvent, NewState } from '../input/effects.ts';
import type { Conflicts } from '../../../pkg/matrix/state-res/conflicts.ts';
import type { ResolvedV2 } from '../../../pkg/matrix/state-res/resolve-v2.ts';
import type { OpenResolution } from '../../../pkg/matrix/state-res/one-more-event.ts';
import { createCover, isCoverLacking, type RoomCover } from './room-cover.ts';

export interface GraphEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly pdu: Pdu;
  /** The state after it; null for an outlier. */
  readonly stateId: number | null;
  readonly rejected: boolean;
  readonly softFailed: boolean;
  /** null: clients do not see it. */
  readonly orderKey: number | null;
  readonly redacted: boolean;
}

/** A state as its difference to another one; `eventId` undefined takes the slot out. */
export interface StateNode {
  readonly stateId: number;
  readonly prevStateId: number;
  readonly depth: number;
  readonly steps: readonly { readonly slot: Slot; readonly eventId: string | undefined; readonly replaces: string | undefined }[];
}

/** A need of an input, and its answer once there is one. */
export interface GraphNeed extends Pick<NeedRow, 'needId' | 'kind' | 'parkedKey' | 'eventId' | 'event' | 'deadlineMs'> {
  readonly answer: Answer | undefined;
}

/** What decisions have asked for in vain; `load-graph.ts` fulfils it and clears it. */
export interface GraphWants {
  readonly events: Set<string>;
  readonly state: Map<Slot, readonly [type: string, stateKey: string]>;
  /** States further back than those known. */
  trails: boolean;
  /** The whole current state as event IDs. */
  full: boolean;
  /** IDs of inputs whose needs are wanted. */
  readonly needs: Set<string>;
  /** Stages whose states are wanted. */
  readonly stages: Set<string>;
}

/** A redaction that was accepted before its target came. */
export interface EarlyRedaction {
  readonly eventId: string;
  readonly sender: string;
  /** Its sender may redact anybody's events. */
  readonly byPower: boolean;
}

/** What was found of the auth chains of some states, which are the overlays under the same current state. */
export interface Compared {
  readonly states: readonly ReadonlyMap<Slot, string | undefined>[];
  readonly difference: ReadonlySet<string>;
  readonly subgraph: ReadonlySet<string>;
}

/** How the current state was come to. */
export interface Meeting {
  /** The forward extremities whose states it is the resolution of: the very list that the head has as long as this holds. */
  extremities: readonly string[];
  /** Slots that the branches do not agree about. */
  readonly conflicted: Set<Slot>;
  /** And those that are filled with what no branch has there. */
  readonly contested: Set<Slot>;
  readonly resolved: ResolvedV2;
  /** The events that were in conflict then, by slot. */
  readonly first: ReadonlyMap<Slot, readonly string[]>;
  /** What these and the conflicted ones since cite; undefined: nobody has asked. */
  cited: Set<string> | undefined;
  /** null: it cannot be gone on with. */
  open: OpenResolution | null | undefined;
  /** With the event that was placed last, once the head has it. */
  next: { readonly extremities: readonly string[]; readonly keep: () => void } | undefined;
}

export interface RoomGraph {
  readonly roomId: string;
  /** null: this server does not know the event. */
  readonly events: Map<string, GraphEvent | null>;
  /** Those of them that have been let in, while all that follows from that is not loaded. */
  readonly provisional: Set<string>;
  /** Whether an accepted event follows it; known for every event in `events`. */
  readonly followed: Set<string>;
  readonly states: Map<number, StateNode>;
  /** All committed states above this one are in `states`. */
  statesAbove: number;
  /** By state, the least recently used first: what it has different from the state `under`, which was the current one then. */
  readonly overlays: { under: number; readonly byState: Map<number, Map<Slot, string | undefined>>; readonly compared: Compared[] };
  /** Events in conflict where branches of the room met, as far as this batch has looked. */
  conflicted: number;
  /** How often in a row all branches of the room in much conflict were resolved for one event, `meeting.ts` notwithstanding. */
  resolvedAnew: number;
  /** How the current state was come to, where branches meet. */
  meeting: Meeting | undefined;
  /** The last resolution. */
  settled: { readonly conflicts: Pick<Conflicts, 'conflicted'>; readonly resolved: ResolvedV2 } | undefined;
  /** By ID of a state event that was new when it came: the state events that cite it. */
  readonly citing: Map<string, string[]>;
  /** Earlier batches have left it (`kept-graphs.ts`). */
  isKept: boolean;
  /** Where state events stand among auth chains. */
  readonly cover: RoomCover;
  /** The committed current state; undefined: not loaded. */
  full: ReadonlyMap<Slot, string> | undefined;
  /** By event ID: redactions that came before the event. */
  readonly early: Map<string, readonly EarlyRedaction[]>;
  readonly needs: Map<string, readonly GraphNeed[]>;
  /** By stage: the state that it holds. */
  readonly stages: Map<string, ReadonlyMap<Slot, string>>;
  readonly wants: GraphWants;
}

export function createGraph(roomId: string): RoomGraph {
  return {
    roomId, events: new Map(), provisional: new Set(), followed: new Set(), states: new Map(), statesAbove: Infinity, overlays: { under: -1, byState: new Map(), compared: [] }, conflicted: 0,
    resolvedAnew: 0, meeting: undefined, settled: undefined, citing: new Map(), isKept: false, cover: createCover(), full: undefined, early: new Map(), needs: new Map(), stages: new Map(),
    wants: { events: new Set(), state: new Map(), trails: false, full: false, needs: new Set(), stages: new Set() },
  };
}

/** Whether decisions have asked for something that is not loaded. */
export function isLacking({ wants, cover }: RoomGraph): boolean {
  return wants.trails || wants.full || [wants.events, wants.state, wants.needs, wants.stages].some(({ size }) => size > 0) || isCoverLacking(cover);
}

/** The event; null when this server does not know it; undefined: wanted now. */
export function lookForEvent(graph: RoomGraph, eventId: string): GraphEvent | null | undefined {
  const event = graph.events.get(eventId);
  if (event === undefined) graph.wants.events.add(eventId);
  return event;
}

/** Takes in an event of the batch itself. */
export function addNewEvent(graph: RoomGraph, event: NewEvent): void {
  const known = graph.events.get(event.eventId);
  if (event.kind === 'outlier' && known !== undefined && known !== null) return;
  noteCited(graph, event, known);
  graph.events.set(event.eventId, graphEventOf(graph.roomId, event, known ?? undefined));
  graph.provisional.delete(event.eventId);
  for (const state of event.states) graph.states.set(state.stateId, nodeOf(state));
  if (event.pdu.state_key !== undefined && event.verdict !== 'rejected') graph.cover.news.add(event.eventId);
  const { eventId, pdu: { sender }, waitsFor } = event;
  if (waitsFor !== undefined) graph.early.set(waitsFor.eventId, [...(graph.early.get(waitsFor.eventId) ?? []), { eventId, sender, byPower: waitsFor.byPower }]);
  if (event.kind !== 'outlier' && event.verdict === 'accepted') for (const prev of prevEventIds(event.pdu)) graph.followed.add(prev);
}

/** What others judge by may be other now, and what it cites is cited. */
function noteCited(graph: RoomGraph, { eventId, pdu, verdict, kind }: NewEvent, known: GraphEvent | null | undefined): void {
  const isNew = !known || graph.provisional.has(eventId);
  if (!isNew && known.rejected !== (verdict === 'rejected')) graph.meeting = undefined;
  if (pdu.state_key === undefined) return;
  const isFresh = isNew && kind !== 'outlier';
  for (const authId of authEventIds(pdu)) {
    // Of events that were known before, it is not known who cites them.
    if (isFresh) graph.citing.get(authId)?.push(eventId);
    else if (!graph.citing.has(eventId)) graph.citing.delete(authId);
  }
  if (isFresh) graph.citing.set(eventId, []);
}

/** `known`: the same event, as it was known so far; redacted, it stays so. */
export function graphEventOf(roomId: string, { eventId, pdu, stateId, orderKey, verdict }: NewEvent, known: GraphEvent | undefined): GraphEvent {
  const redacted = known?.redacted === true;
  return { eventId, roomId, pdu: redacted ? known.pdu : pdu, stateId, orderKey, rejected: verdict === 'rejected', softFailed: verdict === 'softFailed', redacted };
}

function nodeOf({ stateId, prevStateId, depth, steps }: NewState): StateNode {
  return {
    stateId, prevStateId, depth,
    steps: steps.map(({ type, stateKey, entry, replaces }) => ({ slot: slotOf(type, stateKey), eventId: entry?.eventId, replaces: replaces?.eventId })),
  };
}
