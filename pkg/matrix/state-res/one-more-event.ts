/**
 * A resolution with one conflicted event more, without doing it over again. Most events in conflict are about keys that no other event in conflict is judged by (the memberships of users who were
 * banned on several branches, say): what stands at such a key depends on the events about it, and on what many are judged by, which stays as it was. So only these few are looked at. An event
 * that many might be judged by (power levels) costs no more when it comes after all of them. Where that is not certain, the answer is `undefined`, and the whole is resolved.
 */
import type { Pdu } from '../events/pdu.ts';
import { factsOf } from './event-facts.ts';
import { askedBy, isAllowed } from './iterative-auth.ts';
import { loadedEvent, type LoadedRoom } from './loaded-room.ts';
import { comparePlaced, mainlineOf, placedIn, type Mainline, type Placed } from './mainline-order.ts';
import { compareVertices, vertexOf, type Vertex } from './power-order.ts';
import type { ResolvedV2 } from './resolve-v2.ts';
import { POWER_LEVELS_SLOT, type Slot } from './slot.ts';

/** What stands at the slot of the event then; undefined: nothing. */
export interface Outcome {
  readonly slot: Slot;
  readonly eventId: string | undefined;
  /** Has the resolution go on from here. To be called before the next event is tried, or not at all. */
  readonly keep: () => void;
}

/** A resolution that events are added to. */
export interface OpenResolution {
  readonly full: ReadonlySet<string>;
  /** With the event, of a slot in conflict, in the full conflicted set; undefined: only the whole resolution can tell. The event is in no auth chain. */
  with(eventId: string): Outcome | undefined;
}

/** `unconflicted`: as it is at every moment. undefined: its order cannot be told event by event. */
export function openResolution(room: LoadedRoom, resolution: ResolvedV2, unconflicted: (slot: Slot) => string | undefined): OpenResolution | undefined {
  return resolution.isPlain ? new Opened(room, resolution, unconflicted) : undefined;
}

class Opened implements OpenResolution {
  readonly full: Set<string>;
  readonly #room: LoadedRoom;
  readonly #base: (slot: Slot) => string | undefined;
  readonly #power: Set<string>;
  /** The last of those that are ordered by power. */
  #lastPower: Vertex | undefined;
  #mainline: Mainline;
  readonly #bySlot = new Map<Slot, string[]>();
  /** Slots by which events of other slots are judged; by slot: what was let in there, in order. */
  readonly #judging = new Map<Slot, string[]>();

  constructor(room: LoadedRoom, { full, power, mainline, allowed }: ResolvedV2, unconflicted: (slot: Slot) => string | undefined) {
    this.full = new Set(full);
    this.#room = room;
    this.#base = room.version.stateResolution === 'v2.1' ? () => undefined : unconflicted;
    this.#power = new Set(power);
    this.#mainline = mainline;
    for (const eventId of full) {
      const event = loadedEvent(room, eventId);
      const { slot } = factsOf(event);
      this.#note(slot, eventId);
      for (const asked of askedBy(event)) if (asked !== slot) this.#judging.set(asked, []);
    }
    for (const eventId of power) this.#noteLast(vertexOf(room, eventId));
    for (const eventId of allowed) this.#judging.get(factsOf(loadedEvent(room, eventId)).slot)?.push(eventId);
  }

  with(eventId: string): Outcome | undefined {
    const event = loadedEvent(this.#room, eventId);
    const { slot, isPower } = factsOf(event);
    if (this.full.has(eventId) || (isPower && !this.#comesAfterCited(eventId, event))) return undefined;
    const place = placeIn(this.#room, eventId, isPower ? undefined : this.#mainline);
    const isJudging = this.#judging.has(slot);
    // After it comes nothing that would be judged by it.
    if (isJudging && !this.#isLast(place)) return undefined;
    const { stands, asked } = isJudging ? this.#standing(slot, { places: [place], before: this.#judgingAt(slot, place) }) : this.#standing(slot, { places: this.#placesAt(slot, place), before: undefined });
    // Something that is at issue, and that nobody was judged by so far.
    if (asked.some((at) => this.#bySlot.has(at) && !this.#judging.has(at))) return undefined;
    return { slot, eventId: stands, keep: () => { this.#keep(place, { stands, asked }); } };
  }

  #keep(place: Place, { stands, asked }: Standing): void {
    const { eventId, event } = place;
    const { slot } = factsOf(event);
    this.full.add(eventId);
    if (place.power !== undefined) {
      this.#power.add(eventId);
      this.#noteLast(place);
    }
    this.#note(slot, eventId);
    if (stands === eventId) this.#judging.get(slot)?.push(eventId);
    for (const at of asked) if (!this.#judging.has(at)) this.#judging.set(at, []);
    if (slot === POWER_LEVELS_SLOT) this.#mainline = mainlineOf(this.#room, stands ?? this.#base(slot));
  }

  #noteLast(vertex: Vertex): void {
    if (this.#lastPower === undefined || compareVertices(this.#lastPower, vertex) < 0) this.#lastPower = vertex;
  }

  #isLast(place: Place): boolean {
    if (this.full.size > this.#power.size) return false;
    return place.power === undefined || this.#lastPower === undefined || compareVertices(this.#lastPower, place) < 0;
  }

  #placesAt(slot: Slot, more: Place): Place[] {
    return [...(this.#bySlot.get(slot) ?? []).map((eventId) => this.#placeOf(eventId)), more].sort(comparePlaces);
  }

  #note(slot: Slot, eventId: string): void {
    const others = this.#bySlot.get(slot);
    if (others === undefined) this.#bySlot.set(slot, [eventId]);
    else others.push(eventId);
  }

  /** Whether a power event brings no other one among them, and stands where the plain order has it. */
  #comesAfterCited(eventId: string, event: Pdu): boolean {
    const own = vertexOf(this.#room, eventId);
    return factsOf(event).auth.every((authId) => !this.full.has(authId) || (this.#power.has(authId) && compareVertices(vertexOf(this.#room, authId), own) < 0));
  }

  #placeOf(eventId: string): Place {
    return placeIn(this.#room, eventId, this.#power.has(eventId) ? undefined : this.#mainline);
  }

  /** What stands at the slot after all of these. */
  #standing(slot: Slot, { places, before }: { places: readonly Place[]; before: string | undefined }): Standing {
    const asked = new Set<Slot>();
    let stands = before;
    for (const place of places) {
      const { eventId, event } = place;
      if (isAllowed(this.#room, event, (at) => (at === slot ? stands : this.#judgingAt(at, place)) ?? this.#base(at))) stands = eventId;
      for (const at of askedBy(event)) if (at !== slot) asked.add(at);
    }
    return { stands, asked: [...asked] };
  }

  /** What stood at another slot when it was the event's turn. */
  #judgingAt(slot: Slot, place: Place): string | undefined {
    const list = this.#judging.get(slot) ?? [];
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePlaces(this.#placeOf(list[middle]!), place) < 0) low = middle + 1;
      else high = middle;
    }
    return list[low - 1];
  }
}

interface Standing {
  readonly stands: string | undefined;
  /** What of other slots was asked for. */
  readonly asked: readonly Slot[];
}

/** Where an event stands: among those that are ordered by power, which come first, or in the mainline ordering. */
type Place = (Vertex & { readonly position?: undefined }) | (Placed & { readonly power?: undefined });

/** `mainline`: of an event that is not ordered by power. */
function placeIn(room: LoadedRoom, eventId: string, mainline: Mainline | undefined): Place {
  return mainline === undefined ? vertexOf(room, eventId) : placedIn(room, eventId, mainline);
}

function comparePlaces(one: Place, other: Place): number {
  if (one.power !== undefined) return other.power === undefined ? -1 : compareVertices(one, other);
  return other.power === undefined ? comparePlaced(one, other) : 1;
}
