/** State resolution version 2 (spec: rooms/v2, "Algorithm") and version 2.1 (rooms/v12). Numbers in comments are the spec's. */
import { conflictedEvents } from './conflicts.ts';
import type { Conflicts } from './conflicts.ts';
import { applyAllowed } from './iterative-auth.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { mainlineOf, mainlineOrder, type Mainline } from './mainline-order.ts';
import { powerEvents, reverseTopologicalPowerOrder } from './power-order.ts';
import { POWER_LEVELS_SLOT } from './slot.ts';
import type { Slot } from './slot.ts';

/** A resolution, and how it was come to. */
export interface ResolvedV2 {
  /** What the resolved state has beside the unconflicted state map: at most the slots of the full conflicted set. */
  readonly resolved: Map<Slot, string>;
  readonly full: ReadonlySet<string>;
  /** Those of them that were ordered by power, and whether that order is plain (`PowerOrder`). */
  readonly power: ReadonlySet<string>;
  readonly isPlain: boolean;
  readonly mainline: Mainline;
  /** Those that were allowed, in order. */
  readonly allowed: readonly string[];
}

/** The full conflicted set: the conflicted events, the auth difference and, in version 2.1, the conflicted state subgraph. */
export function fullConflictedSet(conflicts: Conflicts, authDifference: Iterable<string>, subgraph: Iterable<string> = []): Set<string> {
  const full = conflictedEvents(conflicts.conflicted);
  for (const eventId of authDifference) full.add(eventId);
  for (const eventId of subgraph) full.add(eventId);
  return full;
}

export function resolveV2(room: LoadedRoom, conflicts: Conflicts, full: ReadonlySet<string>): ResolvedV2 {
  const { unconflicted } = conflicts;
  const base = room.version.stateResolution === 'v2.1' ? (): undefined => undefined : unconflicted;
  const resolved = new Map<Slot, string>();
  // 1. Power events and what they rest on, in reverse topological power ordering.
  const power = powerEvents(room, full);
  const { order, isPlain } = reverseTopologicalPowerOrder(room, power);
  // 2. Onto the unconflicted state map; in version 2.1 onto an empty one.
  const allowed = applyAllowed(room, resolved, base, order);
  // 3. All others, in mainline ordering by the power levels so far.
  const others = [...full].filter((eventId) => !power.has(eventId));
  const mainline = mainlineOf(room, resolved.get(POWER_LEVELS_SLOT) ?? base(POWER_LEVELS_SLOT));
  // 4.
  for (const eventId of applyAllowed(room, resolved, base, mainlineOrder(room, others, mainline))) allowed.push(eventId);
  // 5. The unconflicted state map has the last word.
  for (const slot of resolved.keys()) if (unconflicted(slot) !== undefined) resolved.delete(slot);
  return { resolved, full, power, isPlain, mainline, allowed };
}
