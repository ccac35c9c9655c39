/** PURE. States on the way of one event into the graph: those that there are, and those that it brings. */
import type { Slot } from '../../../pkg/matrix/state-res/slot.ts';
import type { NewState, StateEntry, StateStep } from '../input/effects.ts';
import { stateEntry } from '../input/room-head.ts';
import { CURRENT, idAt, isSameState, keyOf, nodeAt, overlayOf, pduOf, slim, type GraphAt, type Overlay } from './overlay.ts';
import { resolveOverlays } from './resolve-fork.ts';
import { isLacking } from './room-graph.ts';

/** A state: what it has different from the current one, and which it is. */
export interface StateAt {
  readonly overlay: Overlay;
  /** undefined: a new one, which has no ID before `finish`. */
  readonly stateId: number | undefined;
  /** The state that a new one is made of by one change. */
  readonly from?: { readonly state: StateAt; readonly slot: Slot; readonly entry: StateEntry };
}

export interface States {
  /** The resolution of the states of these IDs, and `also`; undefined: lacking. */
  resolve(stateIds: readonly number[], also?: StateAt): StateAt | undefined;
  asState(overlay: Overlay): StateAt | undefined;
  /** The state with another event at the slot. */
  change(from: StateAt, slot: Slot, entry: StateEntry): StateAt;
  /** Gives IDs to the new states, with `current` as the room's current one when it is another than so far; undefined: lacking. Once only. */
  finish(current: StateAt | undefined): NewState[] | undefined;
  /** After `finish`. */
  idOf(state: StateAt): number;
}

export function beginStates(at: GraphAt): States {
  const { head, graph } = at;
  const ids = new Map<StateAt, { stateId: number; depth: number }>();
  const made: StateAt[] = [];
  let lastStateId = head.lastStateId;

  function known(stateId: number): StateAt | undefined {
    if (stateId === head.stateId) return { overlay: CURRENT, stateId };
    const overlay = overlayOf(at, stateId);
    const slimmed = overlay && slim(at, overlay);
    // A new state may stand on it: its depth is asked for.
    if (slimmed === undefined || (stateId !== 0 && nodeAt(graph, stateId) === undefined) || isLacking(graph)) return undefined;
    // The same state under another ID: branches that have met are one again.
    return slimmed.size === 0 ? { overlay: CURRENT, stateId: head.stateId } : { overlay: slimmed, stateId };
  }

  function fresh(state: StateAt): StateAt {
    made.push(state);
    return state;
  }

  function asState(overlay: Overlay): StateAt | undefined {
    const slimmed = slim(at, overlay);
    if (isLacking(graph)) return undefined;
    return slimmed.size === 0 ? { overlay: CURRENT, stateId: head.stateId } : fresh({ overlay: slimmed, stateId: undefined });
  }

  function steps(overlay: Overlay): StateStep[] {
    return [...overlay.keys()].map((slot) => {
      const [type, stateKey] = keyOf(slot);
      return { type, stateKey, entry: entryAt(overlay, slot), replaces: entryAt(CURRENT, slot) };
    });
  }

  function entryAt(overlay: Overlay, slot: Slot): StateEntry | undefined {
    const eventId = idAt(at, overlay, slot);
    if (eventId === undefined) return undefined;
    if (!overlay.has(slot)) return stateEntry(head, ...keyOf(slot));
    // An event of the input itself is not in the graph yet.
    const own = made.find(({ from }) => from?.entry.eventId === eventId)?.from?.entry;
    if (own !== undefined) return own;
    const pdu = pduOf(at, eventId);
    return pdu === undefined ? undefined : { eventId, pdu };
  }

  function onTop(state: StateAt): NewState {
    const { state: under, slot, entry } = state.from!;
    const base = ids.get(under) ?? { stateId: under.stateId!, depth: under.stateId === head.stateId ? head.stateDepth : depthOf(under.stateId!) };
    const [type, stateKey] = keyOf(slot);
    const step = { type, stateKey, entry, replaces: entryAt(under.overlay, slot) };
    return { stateId: lastStateId += 1, prevStateId: base.stateId, depth: base.depth + 1, isCurrent: false, steps: [step] };
  }

  function depthOf(stateId: number): number {
    return graph.states.get(stateId)?.depth ?? 0;
  }

  function besideHead(state: StateAt, isCurrent: boolean): NewState {
    return { stateId: lastStateId += 1, prevStateId: head.stateId, depth: head.stateDepth + 1, isCurrent, steps: steps(state.overlay) };
  }

  return {
    resolve(stateIds, also) {
      const all = [...new Set(stateIds)].map(known);
      if (all.includes(undefined)) return undefined;
      const distinct: StateAt[] = [];
      for (const state of [...(all as StateAt[]), ...(also === undefined ? [] : [also])]) {
        if (!distinct.some((other) => other === state || isSameState(at, other.overlay, state.overlay))) distinct.push(state);
      }
      if (isLacking(graph)) return undefined;
      if (distinct.length === 1) return distinct[0];
      const overlay = resolveOverlays(at, distinct.map((state) => state.overlay));
      if (overlay === undefined) return undefined;
      const same = distinct.find((state) => isSameState(at, state.overlay, overlay));
      return same ?? asState(overlay);
    },
    asState,
    change: (from, slot, entry) => fresh({ overlay: new Map(from.overlay).set(slot, entry.eventId), stateId: undefined, from: { state: from, slot, entry } }),
    finish(current) {
      const news: NewState[] = [];
      for (const state of made) {
        // Directly on the current state: its way goes on.
        const isNext = state === current && state.from?.state.stateId === head.stateId;
        const isBeside = state === current && state.from === undefined;
        const next: NewState = state.from === undefined ? besideHead(state, isBeside) : { ...onTop(state), isCurrent: isNext };
        ids.set(state, next);
        news.push(next);
      }
      if (current !== undefined && current.stateId !== head.stateId && !news.some(({ isCurrent }) => isCurrent)) {
        const { overlay } = current;
        if (slim(at, overlay).size > 0) news.push(besideHead(current, true));
      }
      return isLacking(graph) ? undefined : news;
    },
    idOf: (state) => ids.get(state)?.stateId ?? state.stateId!,
  };
}
