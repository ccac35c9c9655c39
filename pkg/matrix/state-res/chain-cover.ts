/**
 * Auth chains without walking along them. Every state event has a place in a chain: each event of a chain has the ones before it in its own auth chain. Links say what else of other chains
 * is there. So the auth chain of any events is, for each chain, everything up to some place of it, and what is asked of auth chains (spec: rooms/v2, "Auth difference"; rooms/v12, "Conflicted
 * state subgraph") is asked of these places.
 */

/** The place of an event; `seq` counts from 1 without holes. */
export interface Position {
  readonly chain: number;
  readonly seq: number;
}

/** The event of a chain at `seq`, and with it all after it, has the target in its auth chain. */
export interface ChainLink {
  readonly seq: number;
  readonly target: Position;
}

/** All links out of a chain. */
export type LinksOf = (chain: number) => readonly ChainLink[];

/** By chain: up to where it belongs to an auth chain. */
export type Reach = ReadonlyMap<number, number>;

/** The events of a chain after `above` and up to `upTo`. */
export interface ChainRange {
  readonly chain: number;
  readonly above: number;
  readonly upTo: number;
}

/** The events at these places together with their auth chains. */
export function reachOf(positions: Iterable<Position>, linksOf: LinksOf): Reach {
  const reach = new Map<number, number>();
  const raised: number[] = [];
  const raise = ({ chain, seq }: Position): void => {
    if ((reach.get(chain) ?? 0) >= seq) return;
    reach.set(chain, seq);
    raised.push(chain);
  };
  for (const position of positions) raise(position);
  for (let chain = raised.pop(); chain !== undefined; chain = raised.pop()) {
    const upTo = reach.get(chain)!;
    for (const link of linksOf(chain)) if (link.seq <= upTo) raise(link.target);
  }
  return reach;
}

/** What some of the auth chains have and others have not. */
export function differingRanges(reaches: readonly Reach[]): ChainRange[] {
  const ends = new Map<number, { least: number; most: number; having: number }>();
  for (const reach of reaches) {
    for (const [chain, upTo] of reach) {
      const end = ends.get(chain);
      if (end === undefined) {
        ends.set(chain, { least: upTo, most: upTo, having: 1 });
        continue;
      }
      end.having += 1;
      if (upTo < end.least) end.least = upTo;
      if (upTo > end.most) end.most = upTo;
    }
  }
  const ranges: ChainRange[] = [];
  for (const [chain, { least, most, having }] of ends) {
    const above = having < reaches.length ? 0 : least;
    if (above < most) ranges.push({ chain, above, upTo: most });
  }
  return ranges;
}

/** The events on paths along auth events from one of these places to another, ends included. */
export function rangesBetween(positions: readonly Position[], linksOf: LinksOf): ChainRange[] {
  const reach = reachOf(positions, linksOf);
  const citing = citingWithin(reach, linksOf);
  // By chain: the first event that has one of the places in its auth chain, or is one.
  const first = new Map<number, number>();
  const lowered: number[] = [];
  const lower = ({ chain, seq }: Position): void => {
    if ((first.get(chain) ?? Infinity) <= seq) return;
    first.set(chain, seq);
    lowered.push(chain);
  };
  for (const position of positions) lower(position);
  for (let chain = lowered.pop(); chain !== undefined; chain = lowered.pop()) {
    const from = first.get(chain)!;
    for (const { seq, by } of citing.get(chain) ?? []) if (seq >= from) lower(by);
  }
  return [...first].map(([chain, from]) => ({ chain, above: from - 1, upTo: reach.get(chain) ?? 0 })).filter(({ above, upTo }) => above < upTo);
}

/** The links among the chains of an auth chain, by what they lead to. */
function citingWithin(reach: Reach, linksOf: LinksOf): Map<number, { seq: number; by: Position }[]> {
  const citing = new Map<number, { seq: number; by: Position }[]>();
  for (const [chain, upTo] of reach) {
    for (const { seq, target } of linksOf(chain)) {
      if (seq > upTo) continue;
      const link = { seq: target.seq, by: { chain, seq } };
      const others = citing.get(target.chain);
      if (others === undefined) citing.set(target.chain, [link]);
      else others.push(link);
    }
  }
  return citing;
}
