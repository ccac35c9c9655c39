/**
 * PURE. Where the branches of a room meet, and one of them goes on by one event: what the current state is then, from what it was. In a room with many branches in much conflict nearly all events
 * are such, and to resolve everything anew for each of them would cost what the conflict is.
 *
 * It rests on this: an event that nobody cites so far and that cites the state before it puts itself into the full conflicted set, and changes nothing else of it. What it takes the place of
 * stays in the set: it is in the auth chain of the event, and not of the branches that have something else there. Where that does not hold, or the event touches what others are judged by
 * (`one-more-event.ts`), the whole is resolved.
 */
import type { Conflicts } from '../../../pkg/matrix/state-res/conflicts.ts';
import { factsOf } from '../../../pkg/matrix/state-res/event-facts.ts';
import type { LoadedRoom } from '../../../pkg/matrix/state-res/loaded-room.ts';
import { openResolution, type OpenResolution } from '../../../pkg/matrix/state-res/one-more-event.ts';
import type { ResolvedV2 } from '../../../pkg/matrix/state-res/resolve-v2.ts';
import type { Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { CURRENT, currentAt, idAt, overlayOf, type GraphAt, type Overlay } from './overlay.ts';
import type { Meeting, RoomGraph } from './room-graph.ts';

/** Events in conflict beyond which it costs to resolve them anew. */
export const CONFLICTED_MANY = 100;

/** After the states of all branches were resolved, to the current state with these forward extremities. */
export function noteMeeting({ graph }: GraphAt, extremities: readonly string[]): void {
  const { settled } = graph;
  graph.meeting = settled && meetingOf(extremities, settled.conflicts, settled.resolved);
  graph.resolvedAnew = settled !== undefined && settled.resolved.full.size > CONFLICTED_MANY ? graph.resolvedAnew + 1 : 0;
}

function meetingOf(extremities: readonly string[], { conflicted }: Pick<Conflicts, 'conflicted'>, resolved: ResolvedV2): Meeting {
  return {
    extremities, conflicted: new Set(conflicted.keys()), contested: new Set([...conflicted.keys(), ...resolved.resolved.keys()]), resolved, first: conflicted, cited: undefined, open: undefined,
    next: undefined,
  };
}

/** An event that was let in, and is not in the graph's tables yet. */
export interface Going {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** Of the room then. */
  readonly extremities: readonly string[];
  /** The state before it, by its previous events. */
  readonly before: Overlay;
}

/** What the current state has different then; undefined: the whole must be resolved, or something is lacking (`isLacking`). */
export function goOn(at: GraphAt, going: Going): ReadonlyMap<Slot, string | undefined> | undefined {
  const { graph } = at;
  const meeting = meetingNow(at);
  if (meeting === undefined || !isOneFurther(at, going)) return undefined;
  const { extremities, pdu } = going;
  if (pdu.state_key === undefined) {
    meeting.next = { extremities, keep: () => undefined };
    return new Map();
  }
  if (!isAlone(at, meeting, going)) return undefined;
  const outcome = attempt(() => opened(at, meeting)?.with(going.eventId));
  if (outcome === undefined) return undefined;
  meeting.next = { extremities, keep: () => keep(meeting, going, outcome) };
  graph.resolvedAnew = 0;
  graph.conflicted = meeting.resolved.full.size;
  return new Map([[outcome.slot, outcome.eventId]]);
}

function keep({ conflicted, contested, cited }: Meeting, { pdu }: Going, outcome: { readonly slot: Slot; readonly keep: () => void }): void {
  outcome.keep();
  conflicted.add(outcome.slot);
  contested.add(outcome.slot);
  for (const authId of factsOf(pdu).auth) cited?.add(authId);
}

/** That of the current state, if anything is known of how it was come to. */
function meetingNow({ head, graph }: GraphAt): Meeting | undefined {
  const { meeting } = graph;
  if (meeting?.next !== undefined && meeting.next.extremities === head.extremities) {
    meeting.next.keep();
    meeting.extremities = head.extremities;
  } else if (meeting?.extremities !== head.extremities) {
    graph.meeting = undefined;
  }
  if (meeting !== undefined) meeting.next = undefined;
  return graph.meeting;
}

/** Whether the event follows one of the branches, and nothing else, and is its end now. */
function isOneFurther({ head }: GraphAt, { eventId, pdu, extremities }: Going): boolean {
  const [prevId, ...more] = prevEventIds(pdu);
  return more.length === 0 && prevId !== undefined && head.extremities.includes(prevId) && extremities.length === head.extremities.length && extremities.includes(eventId);
}

/** Whether all that it changes in the full conflicted set is that it is there. */
function isAlone(at: GraphAt, meeting: Meeting, { eventId, pdu, before }: Going): boolean {
  const { graph, head: { version } } = at;
  if (!graph.provisional.has(eventId)) return false;
  const { conflicted, contested } = meeting;
  const { slot, auth } = factsOf(pdu);
  const replaced = idAt(at, before, slot);
  // What all branches have there would be none of theirs any more, and all that is in its auth chain might be at issue.
  if (replaced === undefined ? !contested.has(slot) && currentAt(at, slot) !== undefined : !(conflicted.has(slot) && auth.includes(replaced) && staysAtIssue(at, replaced, pdu))) return false;
  // New paths from one conflicted event to another go through what no conflicted event has cited.
  const cited = version.stateResolution === 'v2.1' ? (meeting.cited ??= citedBy(graph, meeting.first)) : undefined;
  return auth.every((authId) => {
    const event = graph.events.get(authId);
    if (!event) return false;
    const { slot: citedSlot } = factsOf(event.pdu);
    return idAt(at, before, citedSlot) === authId && (cited === undefined || conflicted.has(citedSlot) || cited.has(authId));
  });
}

/** Events that stand on what is replaced, beyond which nobody looks. */
const ABOVE_MAX = 1000;

/** Whether a conflicted event of one branch is not in the auth chain of some other one, whatever this branch has instead. */
function staysAtIssue(at: GraphAt, replaced: string, { prev_events: prevEvents }: Pick<Pdu, 'prev_events'>): boolean {
  const { graph, head } = at;
  const [prevId] = prevEventIds({ prev_events: prevEvents });
  const above = new Set([replaced]);
  for (const eventId of above) {
    const citing = graph.citing.get(eventId);
    if (citing === undefined || above.size > ABOVE_MAX) return false;
    for (const by of citing) above.add(by);
  }
  return head.extremities.some((extremity) => {
    const stateId = extremity === prevId ? undefined : graph.events.get(extremity)?.stateId;
    const overlay = stateId === undefined || stateId === null ? undefined : stateId === head.stateId ? CURRENT : overlayOf(at, stateId);
    return overlay !== undefined && [...above].every((eventId) => idAt(at, overlay, factsOf(graph.events.get(eventId)!.pdu).slot) !== eventId);
  });
}

function citedBy({ events }: RoomGraph, conflicted: Meeting['first']): Set<string> {
  const cited = new Set<string>();
  for (const eventId of [...conflicted.values()].flat()) {
    const event = events.get(eventId);
    if (event) for (const authId of factsOf(event.pdu).auth) cited.add(authId);
  }
  return cited;
}

function opened(at: GraphAt, meeting: Meeting): OpenResolution | undefined {
  if (meeting.open === undefined) {
    const { contested, resolved } = meeting;
    // It stays so when an event of it is not in memory.
    meeting.open = null;
    meeting.open = openResolution(roomOf(at), resolved, (slot) => (contested.has(slot) ? undefined : currentAt(at, slot))) ?? null;
  }
  return meeting.open ?? undefined;
}

export function roomOf({ graph: { events }, head: { version, roomId } }: GraphAt): LoadedRoom {
  return { version, roomId, events: (eventId) => events.get(eventId)?.pdu, isRejected: (eventId) => events.get(eventId)?.rejected === true };
}

/** undefined: it needs an event that is not loaded. */
export function attempt<T>(resolve: () => T): T | undefined {
  try {
    return resolve();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
