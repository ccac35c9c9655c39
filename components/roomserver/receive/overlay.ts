/**
 * States of a room as what they have different from its current state, which is in memory: an overlay. It costs what has changed since both were one, however big the room is.
 */
import type { StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { slotOf, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { stateEntry, type RoomHead } from '../input/room-head.ts';
import { isLacking, lookForEvent, type RoomGraph, type StateNode } from './room-graph.ts';

/** Event IDs by slot; undefined: the slot is empty there. Slots that are not in it are as in the current state. */
export type Overlay = ReadonlyMap<Slot, string | undefined>;

export const CURRENT: Overlay = new Map();

/** A room and what is known of its graph. */
export interface GraphAt {
  readonly head: RoomHead;
  readonly graph: RoomGraph;
}

/** What the state has different from the current one, and nothing else; undefined: lacking. */
export function overlayOf(at: GraphAt, stateId: number): Overlay | undefined {
  const { head, graph: { overlays } } = at;
  if (overlays.under !== head.stateId) {
    overlays.under = head.stateId;
    overlays.byState.clear();
    overlays.compared.length = 0;
  }
  const known = overlays.byState.get(stateId);
  if (known !== undefined) return known;
  const trail = trailOf(at, stateId);
  const overlay = trail && slim(at, trail);
  if (overlay === undefined || isLacking(at.graph)) return undefined;
  overlays.byState.set(stateId, overlay);
  return overlay;
}

/** What has changed between the current state and this one. Walks from both to where they meet. */
function trailOf({ head, graph }: GraphAt, stateId: number): Overlay | undefined {
  const under = new Map<Slot, string | undefined>();
  const over = new Map<Slot, string | undefined>();
  let [left, right] = [head.stateId, stateId];
  while (left !== right) {
    // The deeper one steps down; an unknown one has no depth and asks to be loaded.
    const isLeft = depthOf(graph, left) >= depthOf(graph, right);
    const node = nodeAt(graph, isLeft ? left : right);
    if (node === undefined) return undefined;
    if (isLeft) left = stepUnder(node, under);
    else right = stepOver(node, over);
  }
  return new Map([...under, ...over]);
}

/** What stood there before any of these steps. */
function stepUnder({ steps, prevStateId }: StateNode, under: Map<Slot, string | undefined>): number {
  for (const { slot, replaces } of steps) under.set(slot, replaces);
  return prevStateId;
}

/** What stands there after all of these steps: the first that is met. */
function stepOver({ steps, prevStateId }: StateNode, over: Map<Slot, string | undefined>): number {
  for (const { slot, eventId } of steps) if (!over.has(slot)) over.set(slot, eventId);
  return prevStateId;
}

function depthOf(graph: RoomGraph, stateId: number): number {
  if (stateId === 0) return 0;
  return graph.states.get(stateId)?.depth ?? Infinity;
}

/** The state as a difference to another one; undefined: wanted now. Throws when there is no such state. */
export function nodeAt(graph: RoomGraph, stateId: number): StateNode | undefined {
  const node = graph.states.get(stateId);
  if (node !== undefined) return node;
  if (stateId > graph.statesAbove) throw new Error(`room ${graph.roomId} has no state ${stateId}`);
  graph.wants.trails = true;
  return undefined;
}

/** The event ID at a slot of the current state; undefined: empty, or wanted now (`isLacking`). */
export function currentAt({ head, graph }: GraphAt, slot: Slot): string | undefined {
  // A slot is the key by which a head has its state.
  const entry = head.state.get(slot);
  if (entry === undefined && !head.complete) graph.wants.state.set(slot, keyOf(slot));
  return entry?.eventId;
}

/** The event ID at a slot of the state under the overlay. */
export function idAt(at: GraphAt, overlay: Overlay, slot: Slot): string | undefined {
  return overlay.has(slot) ? overlay.get(slot) : currentAt(at, slot);
}

/** The state under the overlay, as event authorisation looks into it. What it says is only true when nothing was found lacking. */
export function lookupAt(at: GraphAt, overlay: Overlay): StateLookup {
  return (type, stateKey) => {
    const slot = slotOf(type, stateKey);
    if (!overlay.has(slot)) return currentAt(at, slot) === undefined ? undefined : stateEntry(at.head, type, stateKey)?.pdu;
    const eventId = overlay.get(slot);
    return eventId === undefined ? undefined : pduOf(at, eventId);
  };
}

/** The event's PDU; undefined: unknown, or wanted now. */
export function pduOf({ graph }: GraphAt, eventId: string): Pdu | undefined {
  return lookForEvent(graph, eventId)?.pdu;
}

/** Whether both say the same of every slot; they must not name what is as in the current state (`slim`). */
export function isSameState(left: Overlay, right: Overlay): boolean {
  if (left.size !== right.size) return false;
  for (const [slot, eventId] of left) if (!right.has(slot) || right.get(slot) !== eventId) return false;
  return true;
}

/** Equal for overlays that say the same; different for most others. */
export function gistOf(overlay: Overlay): number {
  let gist = overlay.size;
  for (const [slot, eventId] of overlay) {
    // Whatever order they stand in; event IDs are different at their ends, of version 1 and 2 at their beginnings.
    const text = eventId ?? slot;
    const end = text.length - 1;
    gist = (gist + Math.imul(text.charCodeAt(1) + 31 * text.charCodeAt(2) + 961 * text.charCodeAt(end) + 29_791 * text.charCodeAt(end - 1) + 923_521 * text.charCodeAt(end - 2), 0x9e3779b1)) | 0;
  }
  return gist;
}

/** Without the slots that are as in the current state. */
export function slim(at: GraphAt, overlay: Overlay): Overlay {
  const slimmed = new Map<Slot, string | undefined>();
  for (const [slot, eventId] of overlay) if (currentAt(at, slot) !== eventId) slimmed.set(slot, eventId);
  return slimmed;
}

/** Type and state key of a slot. */
export function keyOf(slot: Slot): [type: string, stateKey: string] {
  const at = slot.indexOf('\0');
  return [slot.slice(0, at), slot.slice(at + 1)];
}
