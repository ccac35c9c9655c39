/**
 * Graphs of rooms in much conflict, kept from one batch to the next: what a decision there looks at is thousands of events, states and places in chains, and the next decision looks at the same.
 * True as long as this owner is the only one that writes: it is told of all that was committed, and forgets all when it cannot be sure. Within a budget of bytes over all rooms; what goes is
 * read again.
 */
import type { Position } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { slotOf, slotOfEvent, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { currentStateOf, knowsState, stateEntry, type RoomHead } from '../input/room-head.ts';
import type { RoomEffects } from '../input/effects.ts';
import type { Chained } from '../storage/auth-chains.ts';
import { CITING_FIRST, notePosition, type RoomCover } from './room-cover.ts';
import { keyOf } from './overlay.ts';
import type { RoomGraph } from './room-graph.ts';

export interface KeptGraphs {
  /** Hands out the graph, with all that was committed so far, for one batch: what is not told of by `note` then is not kept. */
  take(roomId: string): RoomGraph | undefined;
  /** Of a batch that was committed. */
  note(batch: CommittedBatch): void;
  forget(): void;
  /** What the graphs weigh by the last count, and how many they are. */
  size(): { bytes: number; rooms: number };
}

export interface CommittedBatch {
  /** Of its rooms, with its events; and their heads. */
  readonly graphs: ReadonlyMap<string, RoomGraph>;
  readonly heads: ReadonlyMap<string, RoomHead>;
  readonly effects: readonly RoomEffects[];
  readonly chained: Chained;
}

interface Entry {
  readonly graph: RoomGraph;
  readonly bytes: number;
  /** Batches in a row in which nothing was in conflict. */
  readonly quiet: number;
}

const QUIET_MAX = 20;
/** Rough sizes in memory; most events are small. */
const BYTES = { event: 2500, state: 300, position: 250, link: 100, slot: 60 };

/** `conflictedMin`: graphs are kept of rooms that have had more events in conflict. */
export function createKeptGraphs({ bytesMax, conflictedMin }: { bytesMax: number; conflictedMin: number }): KeptGraphs {
  // Least recently used first.
  const kept = new Map<string, Entry>();
  /** How quiet those are that were handed out. */
  const taken = new Map<string, number>();
  let bytes = 0;

  function drop(roomId: string): void {
    bytes -= kept.get(roomId)?.bytes ?? 0;
    kept.delete(roomId);
  }

  function keep(graph: RoomGraph, head: RoomHead | undefined, { effects: of, chained }: Pick<CommittedBatch, 'effects' | 'chained'>): void {
    const { roomId, conflicted } = graph;
    const quiet = conflicted > conflictedMin ? 0 : (taken.get(roomId) ?? QUIET_MAX) + 1;
    if (head === undefined || quiet > QUIET_MAX || chained.caughtUp || !of.every(isPlain)) return;
    settle(graph, head, { effects: of, chained });
    const entry = { graph, bytes: weigh(graph), quiet };
    kept.set(roomId, entry);
    bytes += entry.bytes;
  }

  return {
    take(roomId) {
      const entry = kept.get(roomId);
      if (entry === undefined) return undefined;
      drop(roomId);
      taken.set(roomId, entry.quiet);
      return entry.graph;
    },
    note({ graphs, heads, effects, chained }) {
      const byRoom = Map.groupBy(effects, ({ roomId }) => roomId);
      for (const roomId of byRoom.keys()) if (!graphs.has(roomId)) drop(roomId);
      for (const graph of graphs.values()) keep(graph, heads.get(graph.roomId), { effects: byRoom.get(graph.roomId) ?? [], chained });
      taken.clear();
      for (const roomId of kept.keys()) {
        if (bytes <= bytesMax) break;
        drop(roomId);
      }
    },
    forget() {
      kept.clear();
      taken.clear();
      bytes = 0;
    },
    size: () => ({ bytes, rooms: kept.size }),
  };
}

/** Whether all that it does to the room's events and states is told by its events and redactions. */
function isPlain({ arrived, stateImport, history, upkeep, partial }: RoomEffects): boolean {
  return arrived === undefined && stateImport === undefined && history === undefined && upkeep === undefined && partial === undefined;
}

/** What is true of the batch alone goes, and what its events were is now what the tables have. */
function settle(graph: RoomGraph, head: RoomHead, { effects, chained }: Pick<CommittedBatch, 'effects' | 'chained'>): void {
  for (const [eventId, event] of graph.events) if (event === null) graph.events.delete(eventId);
  for (const eventId of graph.provisional) graph.events.delete(eventId);
  for (const map of [graph.provisional, graph.early, graph.needs, graph.stages, graph.wants.events, graph.wants.state, graph.wants.needs, graph.wants.stages]) map.clear();
  graph.wants.trails = false;
  graph.wants.full = false;
  graph.full = undefined;
  graph.conflicted = 0;
  graph.settled = undefined;
  graph.isKept = true;
  settleCover(graph.cover);
  noteCurrent(graph.cover, effects);
  const slots = new Map(effects.flatMap(({ events }) => events.map(({ eventId, pdu }) => [eventId, slotOfEvent(pdu)])));
  placeNews({ cover: graph.cover, head }, slots, chained);
}

function settleCover(cover: RoomCover): void {
  for (const [eventId, chain] of cover.loose) {
    cover.positions.delete(eventId);
    for (const map of [cover.links, cover.facts, cover.events]) map.delete(chain);
  }
  for (const collection of [cover.loose, cover.news, ...Object.values(cover.wants)]) collection.clear();
  if (cover.behind) cover.begun = false;
}

/** `slots`: by event ID, of the room's new events. */
function placeNews({ cover, head }: { cover: RoomCover; head: RoomHead }, slots: ReadonlyMap<string, Slot>, { places, links }: Chained): void {
  const own = new Set<number>();
  for (const [eventId, position] of places) {
    const slot = slots.get(eventId);
    if (slot === undefined) continue;
    notePosition(cover, eventId, position);
    own.add(position.chain);
    if (position.seq === 1) beginChain({ cover, head }, position.chain, slot);
  }
  for (const { origin, target } of links) {
    if (!own.has(origin.chain)) continue;
    noteLink(cover, origin, target);
    noteCiting(cover, origin, target);
  }
}

/** A chain that nobody knows yet but who has just begun it. */
function beginChain({ cover, head }: { cover: RoomCover; head: RoomHead }, chain: number, slot: Slot): void {
  cover.links.set(chain, []);
  cover.citing.set(chain, { links: [], limit: CITING_FIRST, from: 1 });
  const key = keyOf(slot);
  if (knowsState(head, ...key)) cover.facts.set(chain, { slot, currentId: stateEntry(head, ...key)?.eventId });
}

/** Chains that are known lead to known ones only; what is not known is read when it is asked for. */
function noteLink({ links }: RoomCover, origin: Position, target: Position): void {
  const known = links.get(origin.chain);
  if (known === undefined) return;
  if (links.has(target.chain)) links.set(origin.chain, [...known, { seq: origin.seq, target }]);
  else links.clear();
}

function noteCiting({ citing }: RoomCover, origin: Position, target: Position): void {
  const known = citing.get(target.chain);
  if (known === undefined || target.seq < known.from) return;
  if (known.links.length >= known.limit * 2) citing.delete(target.chain);
  else citing.set(target.chain, { ...known, links: [...known.links, { seq: target.seq, by: origin }] });
}

function noteCurrent({ facts }: RoomCover, effects: readonly RoomEffects[]): void {
  const changed = new Map<Slot, string | undefined>();
  for (const { events } of effects) {
    for (const event of events) for (const { type, stateKey, entry } of currentStateOf(event)?.steps ?? []) changed.set(slotOf(type, stateKey), entry?.eventId);
  }
  if (changed.size === 0) return;
  for (const [chain, { slot }] of facts) if (changed.has(slot)) facts.set(chain, { slot, currentId: changed.get(slot) });
}

function weigh({ events, states, overlays, cover, citing, meeting }: RoomGraph): number {
  let slots = 0;
  for (const overlay of overlays.byState.values()) slots += overlay.size;
  let links = 0;
  for (const { links: list } of cover.citing.values()) links += list.length;
  return events.size * BYTES.event + states.size * BYTES.state + (cover.positions.size + cover.links.size) * BYTES.position + links * BYTES.link + slots * BYTES.slot
    + (citing.size + (meeting?.resolved.full.size ?? 0) * 3) * BYTES.link;
}
