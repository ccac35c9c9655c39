/** A room's state made of real, signed events, to try the authorisation rules and what else needs a state to look into. */
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { authorize } from '../../pkg/matrix/auth/authorize.ts';
import { roomPower } from '../../pkg/matrix/auth/power-levels.ts';
import type { RoomPower } from '../../pkg/matrix/auth/power-levels.ts';
import type { AuthVerdict } from '../../pkg/matrix/auth/verdict.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import type { BuiltEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft, Pdu } from '../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../pkg/matrix/ids/domain-of.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';

export const CREATOR = '@creator:one.test';
/** Any server's key in these rooms. */
export const TEST_KEY = signingKeyFromSeed('test', new Uint8Array(32).fill(7));

export class RoomState {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly create: BuiltEvent;
  #newest: BuiltEvent;
  #depth = 1;
  readonly #state = new Map<string, BuiltEvent>();

  /** A room with nothing but its create event. */
  constructor(versionId: string, createContent: Record<string, unknown> = {}) {
    this.version = roomVersion(versionId) as RoomVersion;
    const content = { room_version: versionId, ...(this.version.creatorInContent ? { creator: CREATOR } : {}), ...createContent };
    const hashed = this.version.roomIdFormat === 'create-hash';
    this.create = this.#build({ type: 'm.room.create', sender: CREATOR, state_key: '', content }, hashed ? undefined : '!room:one.test', []);
    this.roomId = this.create.pdu.room_id ?? roomIdOfCreateEvent(this.create.eventId);
    this.#newest = this.create;
    this.#state.set(keyOf('m.room.create', ''), this.create);
  }

  readonly lookup = (type: string, stateKey: string): Pdu | undefined => this.#state.get(keyOf(type, stateKey))?.pdu;

  get power(): RoomPower {
    return roomPower(this.lookup, this.version);
  }

  /** A complete event on top of the newest, with the auth events that it should have. */
  build(draft: EventDraft, prevEvents: readonly string[] = [this.#newest.eventId]): BuiltEvent {
    const isCreate = draft.type === 'm.room.create';
    return this.#build(draft, isCreate && this.version.roomIdFormat === 'create-hash' ? undefined : this.roomId, isCreate ? [] : prevEvents);
  }

  /** Puts a state event into the state, whether or not the rules would allow it. */
  set(type: string, stateKey: string, content: Record<string, unknown>, sender = CREATOR): this {
    this.#newest = this.build({ type, sender, state_key: stateKey, content });
    this.#depth++;
    this.#state.set(keyOf(type, stateKey), this.#newest);
    return this;
  }

  /** Puts a membership into the state, as set by the user. */
  member(userId: string, membership: string): this {
    return this.set('m.room.member', userId, { membership }, userId);
  }

  verdict(draft: EventDraft, change: Partial<Pdu> = {}): AuthVerdict {
    return authorize({ event: { ...this.build(draft).pdu, ...change }, version: this.version, state: this.lookup, roomId: this.roomId });
  }

  #build(draft: EventDraft, roomId: string | undefined, prevEvents: readonly string[]): BuiltEvent {
    const authEvents = authTypesFor(draft, this.version).map(([type, stateKey]) => this.#state.get(keyOf(type, stateKey))?.eventId);
    return buildEvent({
      version: this.version,
      draft,
      roomId,
      prevEvents,
      authEvents: authEvents.filter((eventId) => eventId !== undefined),
      depth: this.#depth,
      originServerTs: 1_700_000_000_000 + this.#depth,
      serverName: domainOf(draft.sender),
      signingKey: TEST_KEY,
    });
  }
}

function keyOf(type: string, stateKey: string): string {
  return `${type}\0${stateKey}`;
}
