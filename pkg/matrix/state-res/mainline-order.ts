/** Order of the events that are not about power (spec: rooms/v2, "Mainline ordering"). */
import type { Pdu } from '../events/pdu.ts';
import { citedPowerLevels, loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { compareAge } from './power-order.ts';

/** By power levels event: its place in the mainline (0: the newest), or that of the first of it that it followed; `Infinity` for none. */
export type Mainline = Map<string, number>;

/** An event with what its place in the order depends on. */
export interface Placed {
  readonly eventId: string;
  readonly event: Pdu;
  readonly position: number;
}

/** The events in mainline ordering, from smallest to largest. */
export function mainlineOrder(room: LoadedRoom, eventIds: Iterable<string>, mainline: Mainline): string[] {
  return Array.from(eventIds, (eventId) => placedIn(room, eventId, mainline)).sort(comparePlaced).map(({ eventId }) => eventId);
}

/** Position in the mainline based on the power levels event given, if any, of the events in it: P0 has 0. */
export function mainlineOf(room: LoadedRoom, powerLevelsId: string | undefined): Mainline {
  const positions = new Map<string, number>();
  for (let eventId = powerLevelsId; eventId !== undefined && !positions.has(eventId); eventId = citedPowerLevels(room, loadedEvent(room, eventId))) {
    positions.set(eventId, positions.size);
  }
  return positions;
}

/** Adds the position of each power levels event on the way to the mainline, so that none is walked twice. */
export function placedIn(room: LoadedRoom, eventId: string, mainline: Mainline): Placed {
  const event = loadedEvent(room, eventId);
  return { eventId, event, position: positionOf(room, event, mainline) };
}

/** 1. A greater position (an older power levels event) first; 2. and 3. then by age. */
export function comparePlaced(x: Placed, y: Placed): number {
  return x.position === y.position ? compareAge(x, y) : y.position - x.position;
}

/** The event's mainline position, `Infinity` when it has none. */
function positionOf(room: LoadedRoom, event: Pdu, positions: Mainline): number {
  const walked = new Set<string>();
  let eventId = citedPowerLevels(room, event);
  while (eventId !== undefined && !positions.has(eventId) && !walked.has(eventId)) {
    walked.add(eventId);
    eventId = citedPowerLevels(room, loadedEvent(room, eventId));
  }
  const position = (eventId === undefined ? undefined : positions.get(eventId)) ?? Infinity;
  for (const between of walked) positions.set(between, position);
  return position;
}
