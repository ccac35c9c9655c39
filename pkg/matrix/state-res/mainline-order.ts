/** Order of the events that are not about power (spec: rooms/v2, "Mainline ordering"). */
import type { Pdu } from '../events/pdu.ts';
import { citedPowerLevels, loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { compareAge } from './power-order.ts';

/** The events in mainline ordering based on the power levels event given, if any, from smallest to largest. */
export function mainlineOrder(room: LoadedRoom, eventIds: Iterable<string>, powerLevelsId: string | undefined): string[] {
  const positions = mainlinePositions(room, powerLevelsId);
  const placed = Array.from(eventIds, (eventId) => {
    const event = loadedEvent(room, eventId);
    return { eventId, event, position: positionOf(room, event, positions) };
  });
  // 1. A greater position (an older power levels event) first; 2. and 3. then by age.
  placed.sort((x, y) => (x.position === y.position ? compareAge(x, y) : y.position - x.position));
  return placed.map(({ eventId }) => eventId);
}

/** Position in the mainline of the events in it: P0 has 0. */
function mainlinePositions(room: LoadedRoom, powerLevelsId: string | undefined): Map<string, number> {
  const positions = new Map<string, number>();
  for (let eventId = powerLevelsId; eventId !== undefined && !positions.has(eventId); eventId = citedPowerLevels(room, loadedEvent(room, eventId))) {
    positions.set(eventId, positions.size);
  }
  return positions;
}

/** The event's mainline position, `Infinity` when it has none. Adds that of each power levels event on the way to `positions`, so that none is walked twice. */
function positionOf(room: LoadedRoom, event: Pdu, positions: Map<string, number>): number {
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
