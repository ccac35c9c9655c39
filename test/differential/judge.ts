/** What this library says to a question. */
import type { AuthEvent } from '../../pkg/matrix/auth/check-auth-events.ts';
import { authorize } from '../../pkg/matrix/auth/authorize.ts';
import { checkAuthorisation } from '../../pkg/matrix/events/check-received.ts';
import { authEventIds } from '../../pkg/matrix/events/pdu.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { authDifference } from '../../pkg/matrix/state-res/auth-chains.ts';
import { conflictedSlots } from '../../pkg/matrix/state-res/conflicts.ts';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import type { LoadedRoom } from '../../pkg/matrix/state-res/loaded-room.ts';
import { eventsToLoad, resolveConflicts, resolveState } from '../../pkg/matrix/state-res/resolve-state.ts';
import { slotOf, slotOfEvent } from '../../pkg/matrix/state-res/slot.ts';
import type { Answer, AskedEvent, Question, Refusal } from './question.ts';

interface Known {
  readonly question: Question;
  readonly version: RoomVersion;
  /** Places of the events by their IDs. */
  readonly places: ReadonlyMap<string, number>;
}

export function judge(question: Question): Answer {
  const version = roomVersion(question.version) as RoomVersion;
  const known: Known = { question, version, places: new Map(question.events.map(({ id }, place) => [id, place])) };
  return {
    byAuthEvents: question.byAuthEvents.map((place) => attempt(() => refusalByAuthEvents(known, place))),
    byState: question.byState.map(({ event, state }) => attempt(() => refusalByState(known, event, state))),
    resolved: question.meetings.map((sets) => attempt(() => resolved(known, sets))),
  };
}

/** No input may make the library throw: if one does, that is its answer, with which nobody agrees. */
function attempt<T>(answer: () => T): T | string {
  try {
    return answer();
  } catch (error) {
    return `THROWN ${String(error)}`;
  }
}

/** Step 4 of the checks on receipt. */
function refusalByAuthEvents({ question, version, places }: Known, place: number): Refusal {
  const { pdu } = question.events[place]!;
  const authEvents = (authId: string): AuthEvent | undefined => {
    const cited = question.events[places.get(authId) ?? -1];
    return cited === undefined ? undefined : { event: cited.pdu, rejected: cited.rejected };
  };
  const outcome = checkAuthorisation({ event: { roomId: pdu.room_id ?? question.roomId, pdu }, version, authEvents });
  if (outcome.outcome === 'incomplete') return 'Auth events are missing';
  return outcome.outcome === 'accepted' ? null : outcome.reason;
}

function refusalByState({ question, version }: Known, place: number, places: readonly number[]): Refusal {
  const state = new Map(places.map((at) => question.events[at]!.pdu).map((pdu) => [slotOfEvent(pdu), pdu]));
  const lookup = (type: string, stateKey: string): Pdu | undefined => state.get(slotOf(type, stateKey));
  const verdict = authorize({ event: question.events[place]!.pdu, version, state: lookup, roomId: question.roomId });
  return verdict.allowed ? null : verdict.reason;
}

function resolved({ question, version, places }: Known, sets: Question['meetings'][number]): number[] {
  const at = (eventId: string): AskedEvent | undefined => question.events[places.get(eventId) ?? -1];
  const stateSets = sets.map((set) => new Map(set.map((place) => [slotOfEvent(question.events[place]!.pdu), question.events[place]!.id])));
  const room = { version, roomId: question.roomId, events: (eventId: string) => at(eventId)?.pdu, isRejected: (eventId: string) => at(eventId)?.rejected === true };
  const state = resolveState({ ...room, stateSets });
  assertSameWithFew(room, stateSets, state);
  return [...state.values()].map((eventId) => places.get(eventId) ?? -1).sort((left, right) => left - right);
}

/** The way a server goes: it loads the events that the resolution asks for and no others. Throws unless the state is the same. */
function assertSameWithFew(room: LoadedRoom, stateSets: readonly StateSet[], expected: StateSet): void {
  const conflicts = conflictedSlots(stateSets);
  const difference = room.version.stateResolution === 'v1' ? [] : authDifference({ stateSets, conflicts, authEventsOf: (eventId) => authEventIds(room.events(eventId)!) });
  const loaded = new Map<string, Pdu | undefined>();
  const input = { ...room, events: (eventId: string) => loaded.get(eventId), conflicts, authDifference: difference };
  for (let wanted = eventsToLoad(input); wanted.length > 0; wanted = eventsToLoad(input)) for (const eventId of wanted) loaded.set(eventId, room.events(eventId));
  const state = new Map([...expected.keys()].map((slot) => [slot, conflicts.unconflicted(slot)]));
  if (conflicts.conflicted.size > 0) for (const [slot, eventId] of resolveConflicts(input)) state.set(slot, eventId);
  for (const slot of state.keys()) if (state.get(slot) !== expected.get(slot)) throw new Error(`resolved otherwise with the events that were asked for: ${JSON.stringify(slot)}`);
}
