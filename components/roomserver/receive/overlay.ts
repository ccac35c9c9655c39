/**
 * States of a room as what they have different from its current state, which is in memory: an overlay. It costs what has changed since both were one, however big the room is.
 */
import type { StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { slotOf, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import type { StateEntry } from '../input/effects.ts';
import type { RoomHead } from '../input/room-head.ts';
import { isLacking, lookForEvent, type RoomGraph, type StateNode } from './room-graph.ts';

/** Event IDs by slot; undefined: the slot is empty there. Slots that are not in it are as in the current state. */
export type Overlay = ReadonlyMap<Slot, string | undefined>;

export const CURRENT: Overlay = new Map();

/** A room and what is known of its graph. */
export interface GraphAt {
  readonly head: RoomHead;
  readonly graph: RoomGraph;
}

/** What the state has different from the current one, and nothing else; undefined: lacking. True as long as the current state stays. */
export function overlayOf(at: GraphAt, stateId: number): Overlay | undefined {
  const { head, graph } = at;
  const { overlays } = graph;
  if (overlays.under !== head.stateId) followCurrent(at);
  const overlay = overlays.byState.get(stateId) ?? overlayByPrev(at, stateId) ?? overlayByTrail(at, stateId);
  if (overlay === undefined || isLacking(graph)) return undefined;
  // The last one used is the last to go.
  overlays.byState.delete(stateId);
  overlays.byState.set(stateId, overlay);
  return overlay;
}

/** Of overlays in memory: at least so many, and two for each forward extremity. */
const OVERLAYS_MIN = 64;
/** States that the current one may have moved on by, and that a new one may stand above one whose overlay is known. */
const FOLLOWED_MAX = 64;
const ABOVE_MAX = 8;

/** Brings the overlays to what they are above the current state of now. */
function followCurrent({ head, graph }: GraphAt): void {
  const { overlays } = graph;
  const changes = changesSince(graph, overlays.under, head.stateId);
  if (changes === undefined) overlays.byState.clear();
  let tooMany = overlays.byState.size - Math.max(OVERLAYS_MIN, 2 * head.extremities.length);
  for (const stateId of overlays.byState.keys()) {
    if (tooMany <= 0) break;
    overlays.byState.delete(stateId);
    tooMany -= 1;
  }
  for (const overlay of overlays.byState.values()) for (const [slot, { was, is }] of changes ?? []) follow(overlay, slot, { was, is });
  overlays.under = head.stateId;
  overlays.compared.length = 0;
}

function follow(overlay: Map<Slot, string | undefined>, slot: Slot, { was, is }: { was: string | undefined; is: string | undefined }): void {
  if (!overlay.has(slot)) overlay.set(slot, was);
  if (overlay.get(slot) === is) overlay.delete(slot);
}

/** What is other in the second state, which follows the first; undefined: it is not known to, or by too many steps. */
function changesSince(graph: RoomGraph, from: number, to: number): Map<Slot, { was: string | undefined; is: string | undefined }> | undefined {
  const changes = new Map<Slot, { was: string | undefined; is: string | undefined }>();
  let stateId = to;
  for (let count = 0; stateId !== from; count += 1) {
    const node = graph.states.get(stateId);
    if (node === undefined || count === FOLLOWED_MAX) return undefined;
    // From the last step to the first: what stood there before it is the older, the later it is looked at.
    for (const { slot, eventId, replaces } of node.steps) changes.set(slot, { was: replaces, is: changes.has(slot) ? changes.get(slot)!.is : eventId });
    stateId = node.prevStateId;
  }
  return changes;
}

/** By that of a state which it stands on. */
function overlayByPrev(at: GraphAt, stateId: number): Map<Slot, string | undefined> | undefined {
  const { head, graph } = at;
  const above: StateNode[] = [];
  let under: Overlay | undefined;
  for (let prev = stateId; under === undefined;) {
    const node = graph.states.get(prev);
    if (node === undefined || above.length === ABOVE_MAX) return undefined;
    above.push(node);
    prev = node.prevStateId;
    under = prev === head.stateId ? CURRENT : graph.overlays.byState.get(prev);
  }
  const overlay = new Map(under);
  for (const { steps } of above.reverse()) {
    for (const { slot, eventId } of steps) {
      if (currentAt(at, slot) === eventId) overlay.delete(slot);
      else overlay.set(slot, eventId);
    }
  }
  return overlay;
}

function overlayByTrail(at: GraphAt, stateId: number): Map<Slot, string | undefined> | undefined {
  const trail = trailOf(at, stateId);
  return trail && slim(at, trail);
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
export function currentAt(at: GraphAt, slot: Slot): string | undefined {
  return currentEntry(at, slot)?.eventId;
}

function currentEntry({ head, graph }: GraphAt, slot: Slot): StateEntry | undefined {
  // A slot is the key by which a head has its state.
  const entry = head.state.get(slot);
  if (entry === undefined && !head.complete) graph.wants.state.set(slot, keyOf(slot));
  return entry ?? undefined;
}

/** The event ID at a slot of the state under the overlay. */
export function idAt(at: GraphAt, overlay: Overlay, slot: Slot): string | undefined {
  return overlay.has(slot) ? overlay.get(slot) : currentAt(at, slot);
}

/** The state under the overlay, as event authorisation looks into it. What it says is only true when nothing was found lacking. */
export function lookupAt(at: GraphAt, overlay: Overlay): StateLookup {
  return (type, stateKey) => {
    const slot = slotOf(type, stateKey);
    if (!overlay.has(slot)) return currentEntry(at, slot)?.pdu;
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
export function slim(at: GraphAt, overlay: Overlay): Map<Slot, string | undefined> {
  const slimmed = new Map<Slot, string | undefined>();
  for (const [slot, eventId] of overlay) if (currentAt(at, slot) !== eventId) slimmed.set(slot, eventId);
  return slimmed;
}

/** Type and state key of a slot. */
export function keyOf(slot: Slot): [type: string, stateKey: string] {
  const at = slot.indexOf('\0');
  return [slot.slice(0, at), slot.slice(at + 1)];
}
