/**
 * State resolution: what the room's state is where several states meet, by the algorithm of the room version. Pure and synchronous: all events looked at must be loaded
 * before, and `eventsToLoad` says which. It costs what the conflict costs, save for comparing the state sets and one copy of a state; a caller that knows the differences of
 * its states gives them to `resolveConflicts`, which does neither.
 */
import { authTypesFor } from '../auth/auth-types.ts';
import { authEventIds } from '../events/pdu.ts';
import type { Pdu } from '../events/pdu.ts';
import { createEventIdOfRoom } from '../ids/room-id.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { authDifference, conflictedSubgraph } from './auth-chains.ts';
import type { AuthEventsOf } from './auth-chains.ts';
import { conflictedEvents, conflictedSlots } from './conflicts.ts';
import type { Conflicts, StateSet } from './conflicts.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { resolveV1 } from './resolve-v1.ts';
import { fullConflictedSet, resolveV2, type ResolvedV2 } from './resolve-v2.ts';
import { CREATE_SLOT, POWER_LEVELS_SLOT, slotOf, slotOfEvent } from './slot.ts';
import type { Slot } from './slot.ts';

export interface ResolveState extends LoadedRoom {
  /** The states after each of the previous events. */
  readonly stateSets: readonly StateSet[];
  /** Index of `auth_events`; absent: the loaded events themselves. */
  readonly authEventsOf?: AuthEventsOf;
  /** The auth difference of the state sets, when the caller has an index that knows it; conflicted events may be in it or not. */
  readonly authDifference?: Iterable<string>;
}

export interface ResolveConflicts extends LoadedRoom {
  readonly conflicts: Conflicts;
  readonly authEventsOf?: AuthEventsOf;
  readonly authDifference: Iterable<string>;
  /** The conflicted state subgraph, which version 2.1 wants, when the caller has an index that knows it. */
  readonly subgraph?: Iterable<string>;
}

/** The resolved state. Throws `RangeError` when an event is needed that was not loaded. */
export function resolveState(input: ResolveState): Map<Slot, string> {
  const { stateSets } = input;
  const conflicts = conflictedSlots(stateSets);
  const state = new Map(stateSets[0] ?? []);
  if (conflicts.conflicted.size === 0) return state;
  for (const slot of conflicts.conflicted.keys()) state.delete(slot);
  const usesDifference = input.version.stateResolution !== 'v1' && input.authDifference === undefined;
  const difference = !usesDifference ? (input.authDifference ?? []) : authDifference({ stateSets, conflicts, authEventsOf: authEventsIn(input) });
  for (const [slot, eventId] of resolveConflicts({ ...input, conflicts, authDifference: difference })) state.set(slot, eventId);
  return state;
}

/**
 * What the resolved state has beside the unconflicted state map. Its slots are the conflicted ones, save those left empty, and rarely others that no state set fills. Throws
 * `RangeError` when an event is needed that was not loaded.
 */
export function resolveConflicts(input: ResolveConflicts): Map<Slot, string> {
  return input.version.stateResolution === 'v1' ? resolveV1(input, input.conflicts) : settleConflicts(input).resolved;
}

/** The same by the second version of the algorithm, with how it was come to. */
export function settleConflicts(input: ResolveConflicts): ResolvedV2 {
  return resolveV2(input, input.conflicts, fullConflictedSetOf(input));
}

/**
 * The events that a resolution looks at and that `events` does not have yet. To be called again when those named were loaded, until it names none: which state an event is judged
 * by, only the event can tell, and which power levels others followed, only these. That is one more round for each step back; a caller does well to load all of them with the first.
 */
export function eventsToLoad(input: ResolveConflicts): string[] {
  const { version, events } = input;
  const full = fullConflictedSetOf(input);
  const needed = new Set(full);
  for (const eventId of full) for (const authId of citedIn(events(eventId))) needed.add(authId);
  if (version.roomIdFormat === 'create-hash') needed.add(createEventIdOfRoom(input.roomId));
  if (version.stateResolution !== 'v2.1') addBase(needed, input, full);
  if (version.stateResolution !== 'v1') addMainlines(needed, input);
  return [...needed].filter((eventId) => events(eventId) === undefined);
}

/** Adds what of the unconflicted state map the events are judged by. */
function addBase(needed: Set<string>, { version, conflicts: { unconflicted }, events }: ResolveConflicts, full: ReadonlySet<string>): void {
  const slots = new Set([CREATE_SLOT, POWER_LEVELS_SLOT]);
  for (const eventId of full) {
    const event = events(eventId);
    if (event !== undefined) for (const slot of judgingSlots(event, version)) slots.add(slot);
  }
  for (const slot of slots) {
    const eventId = unconflicted(slot);
    if (eventId !== undefined) needed.add(eventId);
  }
}

/** By event, while it is in memory: the keys of the state that it is judged by. They are asked for again and again while branches are open. */
const judging = new WeakMap<Pdu, { readonly version: RoomVersion; readonly slots: readonly Slot[] }>();

function judgingSlots(event: Pdu, version: RoomVersion): readonly Slot[] {
  const known = judging.get(event);
  if (known?.version === version) return known.slots;
  const slots = authTypesFor(event, version).map(([type, stateKey]) => slotOf(type, stateKey));
  judging.set(event, { version, slots });
  return slots;
}

/** Adds what power levels cite: power levels again, and what has to be looked at to find these. */
function addMainlines(needed: Set<string>, { events }: ResolveConflicts): void {
  // A set takes in what is added to it while it is walked.
  for (const eventId of needed) {
    const event = events(eventId);
    if (event !== undefined && slotOfEvent(event) === POWER_LEVELS_SLOT) for (const authId of authEventIds(event)) needed.add(authId);
  }
}

function citedIn(event: Pdu | undefined): readonly string[] {
  return event === undefined ? [] : authEventIds(event);
}

function fullConflictedSetOf(input: ResolveConflicts): Set<string> {
  const { version, conflicts } = input;
  if (version.stateResolution === 'v1') return conflictedEvents(conflicts.conflicted);
  const isV21 = version.stateResolution === 'v2.1';
  return fullConflictedSet(conflicts, input.authDifference, isV21 ? input.subgraph ?? conflictedSubgraph(conflictedEvents(conflicts.conflicted), authEventsIn(input)) : []);
}

function authEventsIn(room: Pick<ResolveConflicts, 'events' | 'authEventsOf'>): AuthEventsOf {
  return room.authEventsOf ?? ((eventId) => authEventIds(room.events(eventId) ?? { auth_events: [] }));
}
