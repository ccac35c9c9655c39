/** PURE. What the state is where branches meet. */
import { conflictedEvents, conflictedSlots, type Conflicts } from '../../../pkg/matrix/state-res/conflicts.ts';
import { eventsToLoad, resolveConflicts, settleConflicts, type ResolveConflicts } from '../../../pkg/matrix/state-res/resolve-state.ts';
import { POWER_LEVELS_SLOT, slotOfEvent, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { authDifferenceAt, conflictedSubgraphAt, type Differing } from './auth-difference.ts';
import { attempt, roomOf } from './meeting.ts';
import { currentAt, idAt, type GraphAt, type Overlay } from './overlay.ts';
import { isLacking, lookForEvent, type Compared, type RoomGraph } from './room-graph.ts';

const NONE: ReadonlySet<string> = new Set();

/** The resolution of the states under the overlays, as an overlay; undefined: lacking. Compares only what has changed since the states were one. */
export function resolveOverlays(at: GraphAt, overlays: readonly Overlay[]): Overlay | undefined {
  const [first, ...others] = overlays;
  if (first === undefined || others.length === 0) return first;
  const slots = new Set(overlays.flatMap((overlay) => [...overlay.keys()]));
  const stateSets = overlays.map((overlay) => idsAt(at, overlay, slots));
  if (isLacking(at.graph)) return undefined;
  const found = conflictedSlots(stateSets);
  if (found.conflicted.size === 0) return first;
  const conflicts: Conflicts = { conflicted: found.conflicted, unconflicted: (slot) => (slots.has(slot) ? found.unconflicted(slot) : currentAt(at, slot)) };
  // They are needed in any case.
  const inConflict = conflictedEvents(conflicts.conflicted);
  for (const eventId of inConflict) lookForEvent(at.graph, eventId);
  at.graph.conflicted = inConflict.size;
  const compared = compare(at, overlays, { slots, stateSets, conflicts });
  return compared && resolved(at, { slots, conflicts, ...compared });
}

/** The auth difference and the conflicted state subgraph; undefined: lacking. A decision that is made again for want of other rows finds them here. */
function compare(at: GraphAt, states: readonly Overlay[], differing: Differing): Compared | undefined {
  const { head: { stateId, version: { stateResolution } }, graph: { overlays } } = at;
  const known = overlays.under === stateId ? overlays.compared.find((one) => one.states.length === states.length && one.states.every((state, index) => state === states[index])) : undefined;
  if (known !== undefined) return known;
  const difference = stateResolution === 'v1' ? NONE : authDifferenceAt(at, differing);
  const subgraph = stateResolution === 'v2.1' ? conflictedSubgraphAt(at, differing.conflicts) : NONE;
  if (difference === undefined || subgraph === undefined) return undefined;
  const compared = { states, difference, subgraph };
  if (overlays.under === stateId) overlays.compared.push(compared);
  return compared;
}

function idsAt(at: GraphAt, overlay: Overlay, slots: Iterable<Slot>): Map<Slot, string> {
  const ids = new Map<Slot, string>();
  for (const slot of slots) {
    const eventId = idAt(at, overlay, slot);
    if (eventId !== undefined) ids.set(slot, eventId);
  }
  return ids;
}

/** The current state as event IDs, with what the batch has changed; undefined: lacking. */
export function wholeState({ graph, head }: GraphAt): Map<Slot, string> | undefined {
  if (graph.full === undefined) {
    graph.wants.full = true;
    return undefined;
  }
  const whole = new Map(graph.full);
  for (const [slot, entry] of head.state) {
    if (entry === null) whole.delete(slot);
    else whole.set(slot, entry.eventId);
  }
  return whole;
}

interface Resolving {
  readonly slots: ReadonlySet<Slot>;
  readonly conflicts: Conflicts;
  readonly difference: ReadonlySet<string>;
  readonly subgraph: ReadonlySet<string>;
}

function resolved(at: GraphAt, { slots, conflicts, difference, subgraph }: Resolving): Overlay | undefined {
  const { graph } = at;
  const input: ResolveConflicts = { ...roomOf(at), conflicts, authDifference: difference, subgraph };
  // To look into what was kept costs less than to ask first whether all is there.
  const attempted = graph.isKept ? attempt(() => resolution(graph, input)) : undefined;
  const missing = attempted === undefined ? eventsToLoad(input) : [];
  for (const eventId of missing) lookForEvent(graph, eventId);
  if (missing.length > 0) wantMainlines(at);
  if (isLacking(graph)) return undefined;
  const result = attempted ?? resolution(graph, input);
  const overlay = new Map<Slot, string | undefined>();
  for (const slot of slots) overlay.set(slot, conflicts.conflicted.has(slot) ? result.get(slot) : conflicts.unconflicted(slot));
  for (const [slot, eventId] of result) overlay.set(slot, eventId);
  return overlay;
}

function resolution(graph: RoomGraph, input: ResolveConflicts): Map<Slot, string> {
  graph.settled = undefined;
  if (input.version.stateResolution === 'v1') return resolveConflicts(input);
  const resolved = settleConflicts(input);
  graph.settled = { conflicts: input.conflicts, resolved };
  return resolved.resolved;
}

/** Those of all power levels that are known: otherwise each step back along them would be asked for on its own. */
function wantMainlines({ graph: { events, cover } }: GraphAt): void {
  for (const event of events.values()) {
    if (event !== null && slotOfEvent(event.pdu) === POWER_LEVELS_SLOT && !cover.mainlines.has(event.eventId)) cover.wants.mainlines.add(event.eventId);
  }
}
