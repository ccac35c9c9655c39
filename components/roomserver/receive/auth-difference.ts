/**
 * PURE. The auth difference of states and their conflicted state subgraph (spec: rooms/v2, "Auth difference"; rooms/v12), exact, by the places of events in chains. Neither chains are walked
 * nor whole states read: the chains of the conflicted events are compared place by place, and what differs is levelled where an event that all states share has it in its chain. That is looked for
 * first at the keys that the chains are about, and then, from what is left, along the links that lead there.
 */
import { differingRanges, rangesBetween, reachOf, type ChainRange, type Position, type Reach } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { conflictedEvents, type Conflicts } from '../../../pkg/matrix/state-res/conflicts.ts';
import type { Slot } from '../../../pkg/matrix/state-res/slot.ts';
import { knowsState, stateEntry } from '../input/room-head.ts';
import { keyOf, type GraphAt } from './overlay.ts';
import { isLacking } from './room-graph.ts';
import { CITING_FIRST, eventsIn, factsIn, linksIn, positionIn, type ChainFacts, type CitingLink, type RoomCover } from './room-cover.ts';

export interface Differing {
  /** Where the states may differ from the current one. */
  readonly slots: ReadonlySet<Slot>;
  readonly stateSets: readonly ReadonlyMap<Slot, string>[];
  readonly conflicts: Conflicts;
}

/** The auth difference without the conflicted events; undefined: lacking. */
export function authDifferenceAt(at: GraphAt, differing: Differing): ReadonlySet<string> | undefined {
  const { cover } = at.graph;
  const { stateSets, conflicts: { conflicted } } = differing;
  const known = conflictedEvents(conflicted);
  const sides = stateSets.map((stateSet) => [...conflicted.keys()].flatMap((slot) => positionOf(cover, stateSet.get(slot))));
  if (isLacking(at.graph)) return undefined;
  const reaches = sides.map((side) => reachOf(side, linksIn(cover)));
  const ranges = differingRanges(reaches).filter((range) => !isWithin(cover, range, known));
  if (ranges.length === 0) return new Set();
  const ours = new Set(sides.flat().map(({ chain }) => chain));
  const levels = levelsOf(at, differing, [...new Set(reaches.flatMap((reach) => [...reach.keys()]))].filter((chain) => !ours.has(chain)));
  const left = levels && ranges.map((range) => ({ ...range, above: Math.max(range.above, levels.get(range.chain) ?? 0) })).filter((range) => range.above < range.upTo && !isWithin(cover, range, known));
  const unlevelled = left && levelByCiting(at, differing, left);
  return unlevelled && eventsIn(cover, unlevelled, known);
}

/** The conflicted state subgraph; undefined: lacking. */
export function conflictedSubgraphAt({ graph }: GraphAt, { conflicted }: Conflicts): ReadonlySet<string> | undefined {
  const { cover } = graph;
  const positions = [...conflictedEvents(conflicted)].flatMap((eventId) => positionOf(cover, eventId));
  if (isLacking(graph)) return undefined;
  return eventsIn(cover, rangesBetween(positions, linksIn(cover)), new Set());
}

function positionOf(cover: RoomCover, eventId: string | undefined): readonly Position[] {
  const position = eventId === undefined ? undefined : positionIn(cover, eventId);
  return position === undefined ? [] : [position];
}

/** Whether all events of the range are among these. */
function isWithin(cover: RoomCover, { chain, above, upTo }: ChainRange, known: ReadonlySet<string>): boolean {
  const events = cover.events.get(chain);
  for (let seq = above + 1; seq <= upTo; seq += 1) if (!known.has(events?.get(seq) ?? '')) return false;
  return true;
}

/** The event that all states have at the key of a chain. */
function sharedAt({ head }: GraphAt, { slots, conflicts }: Differing, { slot, currentId }: ChainFacts): string | undefined {
  if (slots.has(slot)) return conflicts.unconflicted(slot);
  const key = keyOf(slot);
  return knowsState(head, ...key) ? stateEntry(head, ...key)?.eventId : currentId;
}

/** What the events that all states have at the keys of these chains reach; undefined: lacking. */
function levelsOf(at: GraphAt, differing: Differing, chains: readonly number[]): Reach | undefined {
  const { cover } = at.graph;
  const shared = chains.flatMap((chain) => {
    const facts = factsIn(cover, chain);
    return facts === undefined ? [] : positionOf(cover, sharedAt(at, differing, facts));
  });
  return isLacking(at.graph) ? undefined : reachOf(shared, linksIn(cover));
}

/** What no event that all states share has in its chain, of the ranges; undefined: lacking. */
function levelByCiting(at: GraphAt, differing: Differing, ranges: readonly ChainRange[]): ChainRange[] | undefined {
  // Events of the batch cite others, too, and no table knows of that.
  if (ranges.length > 0) for (const eventId of at.graph.cover.news) positionIn(at.graph.cover, eventId);
  if (isLacking(at.graph)) return undefined;
  const search: Search = { at, differing, unreached: new Map() };
  const left: ChainRange[] = [];
  let isWhole = true;
  for (const { chain, above, upTo } of ranges) {
    // Whoever has an event in its chain has those before it in the event's own chain, too.
    let [low, high] = [above, upTo];
    for (let seq = above + 1; low < high; seq = Math.ceil((low + high) / 2)) {
      const reached = isReached(search, { chain, seq });
      if (reached === undefined) isWhole = false;
      if (reached === true) low = seq;
      else high = reached === undefined ? low : seq - 1;
    }
    if (low < upTo) left.push({ chain, above: low, upTo });
  }
  return isWhole ? left : undefined;
}

interface Search {
  readonly at: GraphAt;
  readonly differing: Differing;
  /** By chain: from where on no shared event has it in its chain. */
  readonly unreached: Map<number, number>;
}

/** Whether an event that all states share is this one or has it in its auth chain; undefined: lacking. Goes from the event to those that cite it. */
function isReached({ at, differing, unreached }: Search, from: Position): boolean | undefined {
  const { cover } = at.graph;
  const seen = new Map<number, number>();
  const wanted: (() => void)[] = [];
  const queue = [from];
  for (const { chain, seq } of queue) {
    if (Math.min(seen.get(chain) ?? Infinity, unreached.get(chain) ?? Infinity) <= seq) continue;
    seen.set(chain, seq);
    const facts = cover.facts.get(chain);
    if (facts === undefined) {
      wanted.push(() => cover.wants.facts.add(chain));
      continue;
    }
    const sharedId = sharedAt(at, differing, facts);
    const shared = sharedId === undefined ? undefined : cover.positions.get(sharedId);
    if (sharedId !== undefined && shared === undefined) wanted.push(() => cover.wants.covers.add(sharedId));
    if (shared?.chain === chain && shared.seq >= seq) return true;
    queue.push(...citingAt(cover, { chain, seq }, wanted).filter((link) => link.seq >= seq).map(({ by }) => by));
  }
  for (const want of wanted) want();
  if (wanted.length > 0) return undefined;
  for (const [chain, seq] of seen) unreached.set(chain, seq);
  return false;
}

/** Links into the chain, those that are known. */
function citingAt(cover: RoomCover, { chain, seq }: Position, wanted: (() => void)[]): readonly CitingLink[] {
  const loose = [...cover.loose.values()].flatMap((own) => cover.links.get(own)!.filter(({ target }) => target.chain === chain).map(({ target }) => ({ seq: target.seq, by: { chain: own, seq: 1 } })));
  if (chain < 0) return loose;
  const known = cover.citing.get(chain);
  if (known === undefined || known.from > seq) wanted.push(() => cover.wants.citing.set(chain, { from: seq, limit: known === undefined ? CITING_FIRST : known.limit * 4 }));
  return [...(known?.links ?? []), ...loose];
}
