/** A room as a graph of real, signed events that may fork and meet again, with the state after each. */
import { authorize } from '../../pkg/matrix/auth/authorize.ts';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import type { AuthVerdict } from '../../pkg/matrix/auth/verdict.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import { essentialText, sha256Base64 } from '../../pkg/matrix/events/hashes.ts';
import { prevEventIds } from '../../pkg/matrix/events/pdu.ts';
import type { EventDraft, Pdu } from '../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../pkg/matrix/ids/domain-of.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { knownRoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature, hashAndSignEvent } from '../../pkg/matrix/signing/sign-event.ts';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import { resolveState } from '../../pkg/matrix/state-res/resolve-state.ts';
import { slotOf } from '../../pkg/matrix/state-res/slot.ts';
import { CREATOR, TEST_KEY } from './room-state.ts';

export interface DagEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly before: StateSet;
  readonly after: StateSet;
  readonly verdict: AuthVerdict;
}

export interface Placement {
  /** The newest event if absent. */
  readonly prev?: readonly string[];
  /** ms; one more than the last one's if absent. */
  readonly ts?: number;
}

export class RoomDag {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly createId: string;
  /** Events in order of arrival, also those that the rules did not allow. */
  readonly events = new Map<string, DagEvent>();
  /** IDs of the allowed ones, in order of arrival. */
  readonly accepted: string[] = [];
  #lastTs = 1_700_000_000_000;

  /** A room with nothing but its create event. */
  constructor(versionId: string, createContent: Record<string, unknown> = {}) {
    this.version = knownRoomVersion(versionId) as RoomVersion;
    const hashed = this.version.roomIdFormat === 'create-hash';
    this.roomId = hashed ? '' : '!room:one.test';
    const content = { room_version: versionId, ...(this.version.creatorInContent ? { creator: CREATOR } : {}), ...createContent };
    this.createId = this.add({ type: 'm.room.create', sender: CREATOR, state_key: '', content }, { prev: [] }).eventId;
    if (hashed) this.roomId = roomIdOfCreateEvent(this.createId);
  }

  readonly pdu = (eventId: string): Pdu | undefined => this.events.get(eventId)?.pdu;

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

  /** Adds a complete event with the auth events that it should have. What the rules do not allow in the state before it changes nothing. */
  add(draft: EventDraft, { prev, ts }: Placement = {}): DagEvent {
    const prevEvents = prev ?? [this.newest];
    this.#lastTs = ts ?? this.#lastTs + 1;
    const before = prevEvents.length === 0 ? new Map<string, string>() : this.resolve(prevEvents);
    const { eventId, pdu } = this.#build(draft, prevEvents, before);
    const state = (type: string, stateKey: string): Pdu | undefined => this.pdu(before.get(slotOf(type, stateKey)) ?? '');
    const verdict = authorize({ event: pdu, version: this.version, state, roomId: this.roomId });
    const changes = verdict.allowed && pdu.state_key !== undefined;
    const after = changes ? new Map(before).set(slotOf(pdu.type, pdu.state_key as string), eventId) : before;
    const added: DagEvent = { eventId, pdu, before, after, verdict };
    if (!this.events.has(eventId) && verdict.allowed) this.accepted.push(eventId);
    this.events.set(eventId, added);
    return added;
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

  #build(draft: EventDraft, prevEvents: readonly string[], before: StateSet): { eventId: string; pdu: Pdu } {
    const authEvents = authTypesFor(draft, this.version).map(([type, stateKey]) => before.get(slotOf(type, stateKey)));
    if (this.version.eventFormat === 'pairs') return this.#buildPairs(draft, prevEvents, authEvents.filter((authId) => authId !== undefined));
    const { eventId, pdu } = buildEvent({
      version: this.version,
      draft,
      roomId: this.roomId === '' ? undefined : this.roomId,
      prevEvents,
      authEvents: authEvents.filter((authId) => authId !== undefined),
      depth: this.#depthAfter(prevEvents),
      originServerTs: this.#lastTs,
      serverName: domainOf(draft.sender),
      signingKey: TEST_KEY,
    });
    const authoriser = draft.content.join_authorised_via_users_server;
    return { eventId, pdu: typeof authoriser === 'string' ? addSignature(pdu, this.version, domainOf(authoriser), TEST_KEY) : pdu };
  }

  /** An event of room version 1 or 2. */
  #buildPairs(draft: EventDraft, prevEvents: readonly string[], authEvents: readonly string[]): { eventId: string; pdu: Pdu } {
    const eventId = `$event${this.events.size}:${domainOf(draft.sender)}`;
    const pairs = (eventIds: readonly string[]): string[] => eventIds.map((id) => [id, { sha256: sha256Base64(essentialText(this.pdu(id)!, this.version)) }] as unknown as string);
    const event = {
      ...draft, event_id: eventId, room_id: this.roomId, prev_events: pairs(prevEvents), auth_events: pairs(authEvents), depth: this.#depthAfter(prevEvents),
      origin_server_ts: this.#lastTs,
    };
    return { eventId, pdu: hashAndSignEvent(event, this.version, domainOf(draft.sender), TEST_KEY) as Pdu };
  }

  #depthAfter(prevEvents: readonly string[]): number {
    return 1 + Math.max(0, ...prevEvents.map((prevId) => this.pdu(prevId)?.depth ?? 0));
  }
}
