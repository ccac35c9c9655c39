/**
 * Walks along `auth_events` (spec: rooms/v2, "Auth chain" and "Auth difference"; rooms/v12, "Conflicted state subgraph"). They need to know the IDs in
 * `auth_events` and nothing else of the events, so that an index of them will do. Iterative: chains are as long as senders like.
 */
import { conflictedEvents } from './conflicts.ts';
import type { Conflicts, StateSet } from './conflicts.ts';
import { CREATE_SLOT, JOIN_RULES_SLOT, POWER_LEVELS_SLOT } from './slot.ts';

/** The `auth_events` of an event. */
export type AuthEventsOf = (eventId: string) => readonly string[];

/** The events together with their auth chains. */
export function withAuthChains(eventIds: Iterable<string>, authEventsOf: AuthEventsOf): Set<string> {
  const seen = new Set(eventIds);
  // A set takes in what is added to it while it is walked.
  for (const eventId of seen) for (const authId of authEventsOf(eventId)) seen.add(authId);
  return seen;
}

/**
 * The auth difference of the state sets, save events of the conflicted state set, which the full conflicted set holds anyway. Walks the chains of the conflicted events; those of
 * the unconflicted ones only to find out which differences they level, the likely ones first.
 */
export function authDifference({ stateSets, conflicts, authEventsOf }: { stateSets: readonly StateSet[]; conflicts: Conflicts; authEventsOf: AuthEventsOf }): Set<string> {
  const { conflicted, unconflicted } = conflicts;
  const distinct = [...new Set(stateSets)];
  const chains = distinct.map((stateSet) => withAuthChains([...conflicted.keys()].map((slot) => stateSet.get(slot)).filter((id) => id !== undefined), authEventsOf));
  const conflictedSet = conflictedEvents(conflicted);
  const difference = new Set<string>();
  for (const chain of chains) {
    for (const eventId of chain) {
      if (!conflictedSet.has(eventId) && !chains.every((other) => other.has(eventId))) difference.add(eventId);
    }
  }
  // An event in the chain of the unconflicted state is in that of every set.
  const likely = [POWER_LEVELS_SLOT, JOIN_RULES_SLOT, CREATE_SLOT].map(unconflicted).filter((id) => id !== undefined);
  const reached = new Set(likely);
  deleteReached(difference, reached, authEventsOf);
  if (difference.size === 0) return difference;
  for (const [slot, eventId] of distinct[0] ?? []) if (!conflicted.has(slot)) reached.add(eventId);
  deleteReached(difference, reached, authEventsOf);
  return difference;
}

/** Walks on from `reached`, adding to it, and takes what it meets out of `wanted`, until nothing is left to find. */
function deleteReached(wanted: Set<string>, reached: Set<string>, authEventsOf: AuthEventsOf): void {
  for (const eventId of reached) {
    wanted.delete(eventId);
    if (wanted.size === 0) return;
    for (const authId of authEventsOf(eventId)) reached.add(authId);
  }
}

/** All events on paths along `auth_events` from one of the conflicted events to another, ends included. */
export function conflictedSubgraph(conflictedSet: ReadonlySet<string>, authEventsOf: AuthEventsOf): Set<string> {
  const below = withAuthChains(conflictedSet, authEventsOf);
  const citedBy = new Map<string, string[]>();
  for (const eventId of below) {
    for (const authId of authEventsOf(eventId)) {
      const citing = citedBy.get(authId);
      if (citing === undefined) citedBy.set(authId, [eventId]);
      else citing.push(eventId);
    }
  }
  // Everything in `below` is reached from a conflicted event; what also reaches one is on a path.
  const between = new Set(conflictedSet);
  for (const eventId of between) for (const citing of citedBy.get(eventId) ?? []) between.add(citing);
  return between;
}
