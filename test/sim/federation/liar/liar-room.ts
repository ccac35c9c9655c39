/** What the lying peer knows of a room, and how it makes events for it: well formed and signed, whatever they say. */
import { authTypesFor } from '../../../../pkg/matrix/auth/auth-types.ts';
import { buildEvent } from '../../../../pkg/matrix/events/build-event.ts';
import { eventIdOf } from '../../../../pkg/matrix/events/event-id.ts';
import { prevEventIds, type EventDraft, type Pdu } from '../../../../pkg/matrix/events/pdu.ts';
import type { RoomVersion } from '../../../../pkg/matrix/room-versions/room-versions.ts';
import type { SigningKey } from '../../../../pkg/matrix/signing/signing-key.ts';

export interface Made {
  readonly eventId: string;
  readonly pdu: Pdu;
}

const PREV_EVENTS_MAX = 10;

export class LiarRoom {
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Every event that it was given or made, in the order of getting to know them. */
  readonly events = new Map<string, Pdu>();
  /** Made, and not shown to anybody yet. */
  readonly withheld: Made[] = [];
  readonly #tips = new Set<string>();
  /** The newest that it has heard of; not the state that a server would compute. */
  readonly #state = new Map<string, string>();
  readonly #signer: { readonly serverName: string; readonly signingKey: SigningKey };

  constructor(roomId: string, version: RoomVersion, signer: { serverName: string; signingKey: SigningKey }) {
    this.roomId = roomId;
    this.version = version;
    this.#signer = signer;
  }

  /** `isNews`: it is an end of the graph. What is no event of this room is passed over. */
  learn(value: unknown, isNews: boolean): void {
    const pdu = value as Pdu;
    let eventId: string;
    try {
      eventId = eventIdOf(pdu, this.version);
    } catch {
      return;
    }
    this.events.set(eventId, pdu);
    if (pdu.state_key !== undefined) this.#state.set(`${pdu.type}\0${pdu.state_key}`, eventId);
    if (!isNews) return;
    for (const prev of prevEventIds(pdu)) this.#tips.delete(prev);
    this.#tips.add(eventId);
  }

  tips(): string[] {
    return [...this.#tips].slice(-PREV_EVENTS_MAX);
  }

  stateEvent(type: string, stateKey: string): Pdu | undefined {
    return this.events.get(this.#state.get(`${type}\0${stateKey}`) ?? '');
  }

  /** Cites the state that it knows, as the rules want, unless it is told what to cite. Nothing is learnt. */
  make(draft: EventDraft, how: { nowMs: number; prev?: readonly string[]; auth?: readonly string[]; depth?: number; roomId?: string }): Made {
    const prev = how.prev ?? this.tips();
    const cited = authTypesFor(draft, this.version).flatMap(([type, stateKey]) => this.#state.get(`${type}\0${stateKey}`) ?? []);
    const depths = prev.map((eventId) => this.events.get(eventId)?.depth ?? 0);
    const { eventId, pdu } = buildEvent({
      version: this.version, draft, roomId: how.roomId ?? this.roomId, prevEvents: prev, authEvents: how.auth ?? cited,
      depth: how.depth ?? Math.min(Math.max(0, ...depths) + 1, Number.MAX_SAFE_INTEGER), originServerTs: Math.floor(how.nowMs), ...this.#signer,
    });
    return { eventId, pdu };
  }
}

export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
