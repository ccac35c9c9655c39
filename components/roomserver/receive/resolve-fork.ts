/** PURE. What the state is where branches meet. */
import { authEventIds } from '../../../pkg/matrix/events/pdu.ts';
import { authDifference } from '../../../pkg/matrix/state-res/auth-chains.ts';
import { conflictedSlots, type Conflicts } from '../../../pkg/matrix/state-res/conflicts.ts';
import { eventsToLoad, resolveConflicts } from '../../../pkg/matrix/state-res/resolve-state.ts';
import { JOIN_RULES_SLOT, CREATE_SLOT, POWER_LEVELS_SLOT, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { currentAt, idAt, pduOf, type GraphAt, type Overlay } from './overlay.ts';
import { isLacking } from './room-graph.ts';

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
  const difference = differenceOf(at, { slots, stateSets, conflicts });
  return difference === undefined ? undefined : resolved(at, { slots, conflicts, difference });
}

function idsAt(at: GraphAt, overlay: Overlay, slots: Iterable<Slot>): Map<Slot, string> {
  const ids = new Map<Slot, string>();
  for (const slot of slots) {
    const eventId = idAt(at, overlay, slot);
    if (eventId !== undefined) ids.set(slot, eventId);
  }
  return ids;
}

function authEventsIn({ graph }: GraphAt): (eventId: string) => readonly string[] {
  return (eventId) => {
    const pdu = graph.events.get(eventId)?.pdu;
    return pdu === undefined ? [] : authEventIds(pdu);
  };
}

interface Differing {
  /** Where the states may differ from the current one. */
  readonly slots: ReadonlySet<Slot>;
  readonly stateSets: readonly Map<Slot, string>[];
  readonly conflicts: Conflicts;
}

/** The auth difference, exact: where the usual suspects do not level it, by the chains of the whole unconflicted state. */
function differenceOf(at: GraphAt, { slots, stateSets, conflicts }: Differing): ReadonlySet<string> | undefined {
  const { graph, head } = at;
  if (head.version.stateResolution === 'v1') return new Set();
  const likely = [POWER_LEVELS_SLOT, JOIN_RULES_SLOT, CREATE_SLOT].map(conflicts.unconflicted).filter((eventId) => eventId !== undefined);
  wantChains(at, [...[...conflicts.conflicted.values()].flat(), ...likely]);
  if (isLacking(graph)) return undefined;
  const authEventsOf = authEventsIn(at);
  // It looks at the likely slots through `unconflicted` and at the others through the first of the sets.
  const quick = authDifference({ stateSets, conflicts, authEventsOf });
  if (quick.size === 0) return quick;
  const whole = wholeState(at);
  if (whole === undefined) return undefined;
  const [first, ...others] = stateSets as [Map<Slot, string>, ...Map<Slot, string>[]];
  const complete = new Map([...[...whole].filter(([slot]) => !slots.has(slot)), ...first]);
  wantChains(at, [...complete.values()]);
  if (isLacking(graph)) return undefined;
  return authDifference({ stateSets: [complete, ...others], conflicts, authEventsOf });
}

function wantChains({ graph }: GraphAt, eventIds: readonly string[]): void {
  for (const eventId of eventIds) if (!graph.chains.has(eventId)) graph.wants.chains.add(eventId);
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

function resolved(at: GraphAt, { slots, conflicts, difference }: { slots: ReadonlySet<Slot>; conflicts: Conflicts; difference: ReadonlySet<string> }): Overlay | undefined {
  const { graph, head } = at;
  const input = {
    version: head.version, roomId: head.roomId, conflicts, authDifference: difference, authEventsOf: authEventsIn(at),
    events: (eventId: string) => pduOf(at, eventId), isRejected: (eventId: string) => graph.events.get(eventId)?.rejected === true,
  };
  for (const eventId of eventsToLoad(input)) pduOf(at, eventId);
  if (isLacking(graph)) return undefined;
  const result = resolveConflicts(input);
  const overlay = new Map<Slot, string | undefined>();
  for (const slot of slots) overlay.set(slot, conflicts.conflicted.has(slot) ? result.get(slot) : conflicts.unconflicted(slot));
  for (const [slot, eventId] of result) overlay.set(slot, eventId);
  return overlay;
}

