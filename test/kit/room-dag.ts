/** A room as a graph of real, signed events that may fork and meet again, with the state after each. */
import { authorize } from '../../pkg/matrix/auth/authorize.ts';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import type { AuthEvent } from '../../pkg/matrix/auth/check-auth-events.ts';
import { ALLOWED, refuse } from '../../pkg/matrix/auth/verdict.ts';
import type { AuthVerdict } from '../../pkg/matrix/auth/verdict.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import type { BuildEvent } from '../../pkg/matrix/events/build-event.ts';
import { checkAuthorisation } from '../../pkg/matrix/events/check-received.ts';
import { essentialText, sha256Base64 } from '../../pkg/matrix/events/hashes.ts';
import { prevEventIds } from '../../pkg/matrix/events/pdu.ts';
import type { EventDraft, Pdu } from '../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../pkg/matrix/ids/domain-of.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature, hashAndSignEvent } from '../../pkg/matrix/signing/sign-event.ts';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import { resolveState } from '../../pkg/matrix/state-res/resolve-state.ts';
import { slotOf } from '../../pkg/matrix/state-res/slot.ts';
import { CREATOR, TEST_KEY } from './room-state.ts';

export interface DagEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** The states that meet before it. */
  readonly meeting: readonly StateSet[];
  readonly before: StateSet;
  readonly after: StateSet;
  /** By its auth events, and if they allow it by the state before it. */
  readonly verdict: AuthVerdict;
  /** Whether its own auth events allow it. */
  readonly allowedByAuthEvents: boolean;
}

export interface Placement {
  /** The newest event if absent. */
  readonly prev?: readonly string[];
  /** ms; one more than the last one's if absent. */
  readonly ts?: number;
  /** What it names in `auth_events`; what it should name if absent. */
  readonly authEvents?: readonly string[];
  /** The room that it says to belong to; this one if absent. */
  readonly roomId?: string;
  /** Whether the server of the user who authorised a join has not signed. */
  readonly leaveUnsigned?: boolean;
}

const DEFAULT_ROOM_ID = '!room:one.test';

export class RoomDag {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly createId: string;
  /** Events in order of arrival, also those that the rules did not allow. */
  readonly events = new Map<string, DagEvent>();
  /** IDs of the allowed ones, in order of arrival. */
  readonly accepted: string[] = [];
  /** Events of other rooms that events here cite. */
  readonly foreign = new Map<string, Pdu>();
  #lastTs = 1_700_000_000_000;
  #built = 0;

  /** A room with nothing but its create event. The room ID is that one up to version 11. */
  constructor(versionId: string, createContent: Record<string, unknown> = {}, roomId = DEFAULT_ROOM_ID) {
    this.version = roomVersion(versionId) as RoomVersion;
    const hashed = this.version.roomIdFormat === 'create-hash';
    this.roomId = hashed ? '' : roomId;
    const content = { room_version: versionId, ...(this.version.creatorInContent ? { creator: CREATOR } : {}), ...createContent };
    this.createId = this.add({ type: 'm.room.create', sender: CREATOR, state_key: '', content }, { prev: [] }).eventId;
    if (hashed) this.roomId = roomIdOfCreateEvent(this.createId);
  }

  readonly pdu = (eventId: string): Pdu | undefined => this.events.get(eventId)?.pdu ?? this.foreign.get(eventId);

  get newest(): string {
    return this.accepted.at(-1) as string;
  }

  /** The state after the event; by default the newest one. */
  stateAfter(eventId: string = this.newest): StateSet {
    return (this.events.get(eventId) as DagEvent).after;
  }

  /** The resolution of the states after these events, or of these state sets. */
  resolve(sets: readonly (string | StateSet)[]): Map<string, string> {
    const stateSets = sets.map((set) => (typeof set === 'string' ? this.stateAfter(set) : set));
    return resolveState({ version: this.version, roomId: this.roomId, events: this.pdu, stateSets });
  }

  /** Adds a complete event. What is not allowed by its auth events or in the state before it changes nothing. */
  add(draft: EventDraft, placement: Placement = {}): DagEvent {
    const prevEvents = placement.prev ?? [this.newest];
    this.#lastTs = placement.ts ?? this.#lastTs + 1;
    const meeting = prevEvents.map((prevId) => this.stateAfter(prevId));
    const before = this.resolve(meeting);
    const { eventId, pdu } = this.build(draft, { ...placement, prev: prevEvents }, before);
    const byAuthEvents = placement.authEvents === undefined ? undefined : this.#verdictByAuthEvents(pdu);
    const verdict = byAuthEvents?.allowed === false ? byAuthEvents : this.#verdictIn(before, pdu);
    const changes = verdict.allowed && pdu.state_key !== undefined;
    const after = changes ? new Map(before).set(slotOf(pdu.type, pdu.state_key as string), eventId) : before;
    // Auth events taken from the state before say what that state says.
    const added: DagEvent = { eventId, pdu, meeting, before, after, verdict, allowedByAuthEvents: (byAuthEvents ?? verdict).allowed };
    if (!this.events.has(eventId) && verdict.allowed) this.accepted.push(eventId);
    this.events.set(eventId, added);
    return added;
  }

  /** The IDs of the auth events that such an event should have in that state. */
  authEventsIn(draft: EventDraft, state: StateSet): string[] {
    return authTypesFor(draft, this.version).map(([type, stateKey]) => state.get(slotOf(type, stateKey))).filter((authId) => authId !== undefined);
  }

  /** Adds an event that the rules must allow; its ID. */
  send(draft: EventDraft, placement: Placement = {}): string {
    const { eventId, verdict } = this.add(draft, placement);
    if (!verdict.allowed) throw new Error(`${draft.type} of ${draft.sender} is not allowed: ${verdict.reason}`);
    return eventId;
  }

  /** Accepted events that no accepted event follows. */
  extremities(): string[] {
    const followed = new Set(this.accepted.flatMap((eventId) => prevEventIds(this.events.get(eventId)!.pdu)));
    return this.accepted.filter((eventId) => !followed.has(eventId));
  }

  /** A complete, signed event that is not of the graph yet. */
  build(draft: EventDraft, placement: Placement, before: StateSet): { eventId: string; pdu: Pdu } {
    const { prev: prevEvents = [], roomId = this.roomId, leaveUnsigned = false } = placement;
    const authEvents = placement.authEvents ?? this.authEventsIn(draft, before);
    const signing = { serverName: domainOf(draft.sender), signingKey: TEST_KEY };
    const placed = { roomId: roomId === '' ? undefined : roomId, prevEvents, authEvents, depth: this.#depthAfter(prevEvents), originServerTs: this.#lastTs };
    const { eventId, pdu } = this.version.eventFormat === 'pairs' ? this.#buildPairs(draft, placed) : buildEvent({ version: this.version, draft, ...placed, ...signing });
    const authoriser = draft.content.join_authorised_via_users_server;
    return { eventId, pdu: typeof authoriser === 'string' && !leaveUnsigned ? addSignature(pdu, this.version, domainOf(authoriser), TEST_KEY) : pdu };
  }

  #verdictIn(state: StateSet, event: Pdu): AuthVerdict {
    return authorize({ event, version: this.version, state: (type, stateKey) => this.pdu(state.get(slotOf(type, stateKey)) ?? ''), roomId: this.roomId });
  }

  #verdictByAuthEvents(pdu: Pdu): AuthVerdict {
    const authEvents = (authId: string): AuthEvent | undefined => {
      const event = this.pdu(authId);
      return event === undefined ? undefined : { event, rejected: this.events.get(authId)?.verdict.allowed === false };
    };
    const outcome = checkAuthorisation({ event: { roomId: pdu.room_id ?? this.roomId, pdu }, version: this.version, authEvents });
    return outcome.outcome === 'accepted' ? ALLOWED : refuse('reason' in outcome ? outcome.reason : 'Auth events are missing');
  }

  /** An event of room version 1 or 2. */
  #buildPairs(draft: EventDraft, placed: Pick<BuildEvent, 'roomId' | 'prevEvents' | 'authEvents' | 'depth' | 'originServerTs'>): { eventId: string; pdu: Pdu } {
    const eventId = `$${this.roomId === DEFAULT_ROOM_ID ? 'event' : 'foreign'}${this.#built++}:${domainOf(draft.sender)}`;
    const pairs = (eventIds: readonly string[]): string[] => eventIds.map((id) => [id, { sha256: sha256Base64(essentialText(this.pdu(id)!, this.version)) }] as unknown as string);
    const { roomId, prevEvents, authEvents, depth, originServerTs } = placed;
    const event = { ...draft, event_id: eventId, room_id: roomId as string, prev_events: pairs(prevEvents as readonly string[]), auth_events: pairs(authEvents as readonly string[]), depth, origin_server_ts: originServerTs };
    return { eventId, pdu: hashAndSignEvent(event, this.version, domainOf(draft.sender), TEST_KEY) as Pdu };
  }

  #depthAfter(prevEvents: readonly string[]): number {
    return 1 + Math.max(0, ...prevEvents.map((prevId) => this.pdu(prevId)?.depth ?? 0));
  }
}
