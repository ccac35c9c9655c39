/** Power events and their order (spec: rooms/v2, "Power events" and "Reverse topological power ordering"). */
import { roomPower, userPower } from '../auth/power-levels.ts';
import { compareCodePoints } from '../canonical-json/canonical-json.ts';
import { authEventIds } from '../events/pdu.ts';
import type { Pdu } from '../events/pdu.ts';
import { Heap } from './heap.ts';
import { citedAt, loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { slotOf } from './slot.ts';

/** Whether the event might take away somebody's ability to do something. Levels and rules with a state key are not the room's; the spec does not except them, but servers do. */
export function isPowerEvent(event: Pdu): boolean {
  if (event.type === 'm.room.power_levels' || event.type === 'm.room.join_rules') return event.state_key === '';
  if (event.type !== 'm.room.member' || event.sender === event.state_key) return false;
  return event.content.membership === 'leave' || event.content.membership === 'ban';
}

/**
 * The power events of the full conflicted set, and those of their auth chains that belong to it. Chains are followed within the set only. (In version 2 of the algorithm a
 * chain can leave the set and come back to a conflicted event of it; servers agree not to follow it there, and the subgraph of version 2.1 closes the gap.)
 */
export function powerEvents(room: LoadedRoom, fullConflictedSet: ReadonlySet<string>): Set<string> {
  const selected = new Set([...fullConflictedSet].filter((eventId) => isPowerEvent(loadedEvent(room, eventId))));
  for (const eventId of selected) {
    for (const authId of authEventIds(loadedEvent(room, eventId))) if (fullConflictedSet.has(authId)) selected.add(authId);
  }
  return selected;
}

interface Vertex {
  readonly eventId: string;
  readonly event: Pdu;
  readonly power: number;
  /** How many of its auth events in the set are not ordered yet. */
  waitsFor: number;
}

/** The events in reverse topological power ordering, earliest first: Kahn's algorithm, always the smallest of those that wait for none. */
export function reverseTopologicalPowerOrder(room: LoadedRoom, eventIds: ReadonlySet<string>): string[] {
  const citedBy = new Map<string, Vertex[]>();
  const ready = new Heap(compareVertices);
  for (const eventId of eventIds) {
    const event = loadedEvent(room, eventId);
    const cited = [...new Set(authEventIds(event))].filter((authId) => eventIds.has(authId));
    const vertex: Vertex = { eventId, event, power: senderPower(room, event), waitsFor: cited.length };
    for (const authId of cited) {
      const citing = citedBy.get(authId);
      if (citing === undefined) citedBy.set(authId, [vertex]);
      else citing.push(vertex);
    }
    if (vertex.waitsFor === 0) ready.push(vertex);
  }
  const order: string[] = [];
  for (let vertex = ready.pop(); vertex !== undefined; vertex = ready.pop()) {
    order.push(vertex.eventId);
    for (const citing of citedBy.get(vertex.eventId) ?? []) {
      citing.waitsFor--;
      if (citing.waitsFor === 0) ready.push(citing);
    }
  }
  return order;
}

/** 1. More power first, 2. then the older, 3. then the smaller ID. */
function compareVertices(x: Vertex, y: Vertex): number {
  if (x.power !== y.power) return x.power > y.power ? -1 : 1;
  return compareAge(x, y);
}

/** By `origin_server_ts`, then by ID. */
export function compareAge(x: { eventId: string; event: Pdu }, y: { eventId: string; event: Pdu }): number {
  return x.event.origin_server_ts - y.event.origin_server_ts || compareCodePoints(x.eventId, y.eventId);
}

/** The sender's power level by the event's own auth events. */
function senderPower(room: LoadedRoom, event: Pdu): number {
  const cited = (type: string, stateKey: string): Pdu | undefined => {
    const eventId = citedAt(room, event, slotOf(type, stateKey));
    return eventId === undefined ? undefined : loadedEvent(room, eventId);
  };
  return userPower(roomPower(cited, room.version), event.sender);
}
