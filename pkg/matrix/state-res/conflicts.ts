/** Where states differ (spec: rooms/v2, "Unconflicted state map and conflicted state set"). */
import type { Slot } from './slot.ts';

export type StateSet = ReadonlyMap<Slot, string>;

export interface Conflicts {
  /** Slots that not every state set fills with the same event, with all their events, in no order. Empty: nothing to resolve. */
  readonly conflicted: ReadonlyMap<Slot, readonly string[]>;
  /** The event that every state set has there; undefined for a conflicted slot and one that no set fills. */
  readonly unconflicted: (slot: Slot) => string | undefined;
}

/** Compares the sets slot by slot, without copying any. Sets given twice count once. */
export function conflictedSlots(stateSets: readonly StateSet[]): Conflicts {
  const [first, ...others] = new Set(stateSets);
  const conflicted = new Map<Slot, readonly string[]>();
  if (first === undefined) return { conflicted, unconflicted: () => undefined };
  const all = [first, ...others];
  for (const [slot, eventId] of first) {
    if (others.some((other) => other.get(slot) !== eventId)) conflicted.set(slot, eventsAt(all, slot));
  }
  for (const other of others) {
    for (const slot of other.keys()) {
      if (!first.has(slot) && !conflicted.has(slot)) conflicted.set(slot, eventsAt(all, slot));
    }
  }
  return { conflicted, unconflicted: (slot) => (conflicted.has(slot) ? undefined : first.get(slot)) };
}

/** The conflicted state set: the events at the conflicted slots. */
export function conflictedEvents(conflicted: Conflicts['conflicted']): Set<string> {
  return new Set([...conflicted.values()].flat());
}

function eventsAt(stateSets: readonly StateSet[], slot: Slot): string[] {
  const eventIds = new Set(stateSets.map((stateSet) => stateSet.get(slot)));
  return [...eventIds].filter((eventId) => eventId !== undefined);
}
