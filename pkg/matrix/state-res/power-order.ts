/** Power events and their order (spec: rooms/v2, "Power events" and "Reverse topological power ordering"). */
import { roomPower, userPower } from '../auth/power-levels.ts';
import { compareCodePoints } from '../canonical-json/canonical-json.ts';
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { factsOf } from './event-facts.ts';
import { Heap } from './heap.ts';
import { citedAt, loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { slotOf } from './slot.ts';

/**
 * The power events of the full conflicted set, and those of their auth chains that belong to it. Chains are followed within the set only. (In version 2 of the algorithm a
 * chain can leave the set and come back to a conflicted event of it; servers agree not to follow it there, and the subgraph of version 2.1 closes the gap.)
 */
export function powerEvents(room: LoadedRoom, fullConflictedSet: ReadonlySet<string>): Set<string> {
  const selected = new Set<string>();
  for (const eventId of fullConflictedSet) if (factsOf(loadedEvent(room, eventId)).isPower) selected.add(eventId);
  for (const eventId of selected) {
    for (const authId of factsOf(loadedEvent(room, eventId)).auth) if (fullConflictedSet.has(authId)) selected.add(authId);
  }
  return selected;
}

/** An event with what its place in the order depends on beside its auth events. */
export interface Vertex {
  readonly eventId: string;
  readonly event: Pdu;
  readonly power: number;
}

export interface PowerOrder {
  /** Earliest first. */
  readonly order: readonly string[];
  /** Whether it is the order of `compareVertices`, because no event comes before one that it cites by that. */
  readonly isPlain: boolean;
}

/** The events in reverse topological power ordering. */
export function reverseTopologicalPowerOrder(room: LoadedRoom, eventIds: ReadonlySet<string>): PowerOrder {
  const vertices = new Map<string, Vertex>();
  for (const eventId of eventIds) vertices.set(eventId, vertexOf(room, eventId));
  const isPlain = isOrderedByItself(vertices);
  return { order: isPlain ? [...vertices.values()].sort(compareVertices).map(({ eventId }) => eventId) : topologicalOrder(vertices), isPlain };
}

/** Then Kahn's algorithm, too, always finds the smallest that is left waiting for none. */
function isOrderedByItself(vertices: ReadonlyMap<string, Vertex>): boolean {
  for (const vertex of vertices.values()) {
    for (const authId of factsOf(vertex.event).auth) {
      const cited = vertices.get(authId);
      if (cited !== undefined && compareVertices(cited, vertex) >= 0) return false;
    }
  }
  return true;
}

/** Kahn's algorithm, always the smallest of those that wait for none. */
function topologicalOrder(vertices: ReadonlyMap<string, Vertex>): string[] {
  const citedBy = new Map<string, Vertex[]>();
  /** How many of its auth events in the set are not ordered yet. */
  const waitsFor = new Map<Vertex, number>();
  const ready = new Heap(compareVertices);
  for (const vertex of vertices.values()) {
    const cited = factsOf(vertex.event).auth.filter((authId) => vertices.has(authId));
    for (const authId of cited) {
      const citing = citedBy.get(authId);
      if (citing === undefined) citedBy.set(authId, [vertex]);
      else citing.push(vertex);
    }
    waitsFor.set(vertex, cited.length);
    if (cited.length === 0) ready.push(vertex);
  }
  const order: string[] = [];
  for (let vertex = ready.pop(); vertex !== undefined; vertex = ready.pop()) {
    order.push(vertex.eventId);
    for (const citing of citedBy.get(vertex.eventId) ?? []) {
      const left = waitsFor.get(citing)! - 1;
      waitsFor.set(citing, left);
      if (left === 0) ready.push(citing);
    }
  }
  return order;
}

/** 1. More power first, 2. then the older, 3. then the smaller ID. */
export function compareVertices(x: Vertex, y: Vertex): number {
  if (x.power !== y.power) return x.power > y.power ? -1 : 1;
  return compareAge(x, y);
}

/** By `origin_server_ts`, then by ID. */
export function compareAge(x: { eventId: string; event: Pdu }, y: { eventId: string; event: Pdu }): number {
  return x.event.origin_server_ts - y.event.origin_server_ts || compareCodePoints(x.eventId, y.eventId);
}

/** By event, while it is in memory. What it cites never changes, and redaction leaves all that gives power. */
const vertices = new WeakMap<Pdu, { readonly version: RoomVersion; readonly vertex: Vertex }>();

/** The event must be loaded, and what it cites about power. */
export function vertexOf(room: LoadedRoom, eventId: string): Vertex {
  const event = loadedEvent(room, eventId);
  const known = vertices.get(event);
  if (known?.version === room.version && known.vertex.eventId === eventId) return known.vertex;
  const vertex = { eventId, event, power: senderPower(room, event) };
  vertices.set(event, { version: room.version, vertex });
  return vertex;
}

/** The sender's power level by the event's own auth events. */
function senderPower(room: LoadedRoom, event: Pdu): number {
  const cited = (type: string, stateKey: string): Pdu | undefined => {
    const eventId = citedAt(room, event, slotOf(type, stateKey));
    return eventId === undefined ? undefined : loadedEvent(room, eventId);
  };
  return userPower(roomPower(cited, room.version), event.sender);
}
