/** Spec: rooms/v2, "Iterative auth checks". */
import { authorize } from '../auth/authorize.ts';
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { factsOf } from './event-facts.ts';
import { citedAt, loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { slotOf, type Slot } from './slot.ts';

/**
 * Applies to `resolved`, in order, those of the events that the authorisation rules allow in the state so far: what `resolved` holds, else what `base` holds, else the event's
 * own auth events, unless rejected. Gives back those that were allowed.
 */
export function applyAllowed(room: LoadedRoom, resolved: Map<Slot, string>, base: (slot: Slot) => string | undefined, eventIds: readonly string[]): string[] {
  const soFar = (slot: Slot): string | undefined => resolved.get(slot) ?? base(slot);
  const allowed: string[] = [];
  for (const eventId of eventIds) {
    const event = loadedEvent(room, eventId);
    if (!isAllowed(room, event, soFar)) continue;
    resolved.set(factsOf(event).slot, eventId);
    allowed.push(eventId);
  }
  return allowed;
}

/** A verdict and all that it stands on: what was asked for of the state, and found there. */
interface Judged {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly slots: readonly Slot[];
  readonly found: readonly (Pdu | undefined)[];
  readonly allowed: boolean;
  /** What was ever asked for. */
  readonly asked: readonly Slot[];
}

/** By event, while it is in memory: the last verdict. While branches are open an event is judged again and again, by the same state as a rule. */
const judged = new WeakMap<Pdu, Judged>();

/** Whether the rules allow the event in the state that `soFar` looks into, else its own auth events. */
export function isAllowed(room: LoadedRoom, event: Pdu, soFar: (slot: Slot) => string | undefined): boolean {
  const { version, roomId } = room;
  const at = (slot: Slot): Pdu | undefined => {
    const eventId = soFar(slot) ?? acceptedOnly(room, citedAt(room, event, slot));
    return eventId === undefined ? undefined : loadedEvent(room, eventId);
  };
  const known = judged.get(event);
  if (known?.version === version && known.roomId === roomId && known.slots.every((slot, index) => at(slot) === known.found[index])) return known.allowed;
  const found = new Map<Slot, Pdu | undefined>();
  const state = (type: string, stateKey: string): Pdu | undefined => {
    const slot = slotOf(type, stateKey);
    if (!found.has(slot)) found.set(slot, at(slot));
    return found.get(slot);
  };
  const { allowed } = authorize({ event, version, state, roomId });
  const slots = [...found.keys()];
  const asked = known === undefined ? slots : [...new Set([...known.asked, ...slots])];
  judged.set(event, { version, roomId, slots, found: [...found.values()], allowed, asked: asked.length === slots.length ? slots : asked });
  return allowed;
}

/** What verdicts on the event have asked for of the state. */
export function askedBy(event: Pdu): readonly Slot[] {
  return judged.get(event)?.asked ?? [];
}

function acceptedOnly(room: LoadedRoom, eventId: string | undefined): string | undefined {
  return eventId === undefined || room.isRejected?.(eventId) === true ? undefined : eventId;
}
