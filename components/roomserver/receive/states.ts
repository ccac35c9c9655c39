/** PURE. States on the way of one event into the graph: those that there are, and those that it brings. */
import type { Slot } from '../../../pkg/matrix/state-res/slot.ts';
import type { NewState, StateEntry, StateStep } from '../input/effects.ts';
import { stateEntry } from '../input/room-head.ts';
import { CURRENT, currentAt, gistOf, idAt, isSameState, keyOf, nodeAt, overlayOf, pduOf, slim, type GraphAt, type Overlay } from './overlay.ts';
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

export class States {
  readonly #at: GraphAt;
  readonly #ids = new Map<StateAt, NewState>();
  /** The new ones, each after those that it is made of. */
  readonly #made: StateAt[] = [];
  #lastStateId: number;

  constructor(at: GraphAt) {
    this.#at = at;
    this.#lastStateId = at.head.lastStateId;
  }

  /** The resolution of the states of these IDs, and `also`; undefined: lacking. */
  resolve(stateIds: readonly number[], also?: StateAt): StateAt | undefined {
    const at = this.#at;
    if (also === undefined && stateIds.length === 1) return this.#onlyState(stateIds[0]!);
    const all = [...new Set(stateIds)].map((stateId) => this.#known(stateId));
    const distinct: StateAt[] = [];
    // There may be a thousand, each a thousand changes away from the current state.
    const byGist = new Map<number, StateAt[]>();
    for (const state of [...all, ...(also === undefined ? [] : [also])]) {
      if (state === undefined) return undefined;
      const gist = gistOf(state.overlay);
      const alike = byGist.get(gist) ?? [];
      if (alike.some((other) => other === state || isSameState(other.overlay, state.overlay))) continue;
      byGist.set(gist, [...alike, state]);
      distinct.push(state);
    }
    if (isLacking(at.graph)) return undefined;
    if (distinct.length === 1) return distinct[0];
    const resolved = resolveOverlays(at, distinct.map((state) => state.overlay));
    const overlay = resolved && slim(at, resolved);
    if (overlay === undefined || isLacking(at.graph)) return undefined;
    return distinct.find((state) => isSameState(state.overlay, overlay)) ?? this.asState(overlay);
  }

  #onlyState(stateId: number): StateAt | undefined {
    const state = this.#known(stateId);
    return isLacking(this.#at.graph) ? undefined : state;
  }

  /** The state that is different from the current one in this; undefined: lacking. */
  asState(overlay: Overlay): StateAt | undefined {
    const { graph, head } = this.#at;
    const slimmed = slim(this.#at, overlay);
    if (isLacking(graph)) return undefined;
    return slimmed.size === 0 ? { overlay: CURRENT, stateId: head.stateId } : this.#fresh({ overlay: slimmed, stateId: undefined });
  }

  /** The current state with these changes, each by an event that is in the graph; undefined: lacking. */
  changeCurrent(changes: Overlay): StateAt | undefined {
    const current: StateAt = { overlay: CURRENT, stateId: this.#at.head.stateId };
    const [first, ...others] = changes;
    if (first === undefined) return current;
    const [slot, eventId] = first;
    const before = currentAt(this.#at, slot);
    if (isLacking(this.#at.graph)) return undefined;
    const pdu = eventId === undefined ? undefined : pduOf(this.#at, eventId);
    if (others.length > 0 || eventId === undefined || pdu === undefined) return this.asState(changes);
    return eventId === before ? current : this.change(current, slot, { eventId, pdu });
  }

  /** The state with another event at the slot. */
  change(from: StateAt, slot: Slot, entry: StateEntry): StateAt {
    const overlay = new Map(from.overlay);
    // It may be in the current state already, as what another server told of it.
    if (currentAt(this.#at, slot) === entry.eventId) overlay.delete(slot);
    else overlay.set(slot, entry.eventId);
    return this.#fresh({ overlay, stateId: undefined, from: { state: from, slot, entry } });
  }

  /** Gives IDs to the new states, with `current` as the room's current one when it is another than so far; undefined: lacking. Once only. */
  finish(current: StateAt | undefined): NewState[] | undefined {
    const { head, graph } = this.#at;
    const news: NewState[] = [];
    for (const state of this.#made) {
      // Directly on the current state: its way goes on.
      const isNext = state === current && (state.from === undefined || state.from.state.stateId === head.stateId);
      const next = { ...(state.from === undefined ? this.#besideCurrent(state.overlay) : this.#onTop(state.from)), isCurrent: isNext };
      this.#ids.set(state, next);
      news.push(next);
    }
    const isToFollow = current !== undefined && current.stateId !== head.stateId && !news.some(({ isCurrent }) => isCurrent);
    if (isToFollow && slim(this.#at, current.overlay).size > 0) news.push({ ...this.#besideCurrent(current.overlay), isCurrent: true });
    return isLacking(graph) ? undefined : news;
  }

  /** After `finish`. */
  idOf(state: StateAt): number {
    return this.#ids.get(state)?.stateId ?? state.stateId!;
  }

  #known(stateId: number): StateAt | undefined {
    const { graph, head } = this.#at;
    if (stateId === head.stateId) return { overlay: CURRENT, stateId };
    const overlay = overlayOf(this.#at, stateId);
    // A new state may stand on it: its depth is asked for.
    if (overlay === undefined || (stateId !== 0 && nodeAt(graph, stateId) === undefined) || isLacking(graph)) return undefined;
    // The same state under another ID: branches that have met are one again.
    return overlay.size === 0 ? { overlay: CURRENT, stateId: head.stateId } : { overlay, stateId };
  }

  #fresh(state: StateAt): StateAt {
    this.#made.push(state);
    return state;
  }

  #onTop({ state: under, slot, entry }: NonNullable<StateAt['from']>): Omit<NewState, 'isCurrent'> {
    const [type, stateKey] = keyOf(slot);
    const steps = [{ type, stateKey, entry, replaces: this.#entryAt(under.overlay, slot) }];
    return { stateId: this.#lastStateId += 1, prevStateId: this.idOf(under), depth: this.#depthOf(under) + 1, steps };
  }

  #besideCurrent(overlay: Overlay): Omit<NewState, 'isCurrent'> {
    const { stateId, stateDepth } = this.#at.head;
    const steps = [...overlay.keys()].map((slot): StateStep => {
      const [type, stateKey] = keyOf(slot);
      return { type, stateKey, entry: this.#entryAt(overlay, slot), replaces: this.#entryAt(CURRENT, slot) };
    });
    return { stateId: this.#lastStateId += 1, prevStateId: stateId, depth: stateDepth + 1, steps };
  }

  #depthOf(state: StateAt): number {
    const { head, graph } = this.#at;
    const isCurrent = state.stateId === head.stateId;
    return this.#ids.get(state)?.depth ?? (isCurrent ? head.stateDepth : graph.states.get(state.stateId!)?.depth ?? 0);
  }

  #entryAt(overlay: Overlay, slot: Slot): StateEntry | undefined {
    const eventId = idAt(this.#at, overlay, slot);
    if (eventId === undefined) return undefined;
    if (!overlay.has(slot)) return stateEntry(this.#at.head, ...keyOf(slot));
    // An event of the input itself is not in the graph yet.
    const own = this.#made.find(({ from }) => from?.entry.eventId === eventId)?.from?.entry;
    if (own !== undefined) return own;
    const pdu = pduOf(this.#at, eventId);
    return pdu === undefined ? undefined : { eventId, pdu };
  }
}
