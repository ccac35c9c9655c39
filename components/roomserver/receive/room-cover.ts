/**
 * What is known of the chains of a room's state events (`pkg/matrix/state-res/chain-cover.ts`, `storage/auth-chains.ts`) while a batch is decided. Decisions ask through the functions here;
 * what is not there yet is noted in `wants`, and `load-cover.ts` fulfils it. Events of the batch itself have no place yet: each is a chain of its own, with a number below zero.
 */
import type { ChainLink, ChainRange, Position } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { slotOfEvent, type Slot } from '../../../pkg/matrix/state-res/slot.ts';

export interface ChainFacts {
  /** The key of the state that all events of the chain are about. */
  readonly slot: Slot;
  /** The event that the committed current state has there. */
  readonly currentId: string | undefined;
}

/** A link into a chain. */
export interface CitingLink {
  readonly seq: number;
  readonly by: Position;
}

/** The newest links into a chain. */
export interface Citing {
  readonly links: readonly CitingLink[];
  /** All links to the event at this place of the chain and after it are there. */
  readonly from: number;
  /** How many were read at most. */
  readonly limit: number;
}

export interface RoomCover {
  /** By event ID; of committed events and those of the batch that were asked for. */
  readonly positions: Map<string, Position>;
  /** By chain: what links out of it. Where a chain is, the chains that it links to are, too. */
  readonly links: Map<number, readonly ChainLink[]>;
  readonly facts: Map<number, ChainFacts>;
  readonly citing: Map<number, Citing>;
  /** By chain and `seq`: event IDs. */
  readonly events: Map<number, Map<number, string>>;
  /** IDs of events whose chains are no committed ones, each with the number of its own. */
  readonly loose: Map<string, number>;
  /** IDs of the batch's own state events. */
  readonly news: Set<string>;
  /** Power levels events that are in the graph with all that they followed, and what these cite. */
  readonly mainlines: Set<string>;
  /** Whether committed events without a place, as older versions of the program leave them, are in `loose`; and whether there are any. */
  begun: boolean;
  behind: boolean;
  readonly wants: CoverWants;
}

/** How many links into a chain are read at first; then four times as many each time. */
export const CITING_FIRST = 256;

export interface CoverWants {
  /** Events whose places are wanted, with all that their chains reach. */
  readonly covers: Set<string>;
  readonly facts: Set<number>;
  /** By chain: links to the event at this place and after it, up to a limit. */
  readonly citing: Map<number, { readonly from: number; readonly limit: number }>;
  readonly ranges: Set<ChainRange>;
  readonly mainlines: Set<string>;
}

export function createCover(): RoomCover {
  return {
    positions: new Map(), links: new Map(), facts: new Map(), citing: new Map(), events: new Map(), loose: new Map(), news: new Set(), mainlines: new Set(), begun: false, behind: false,
    wants: { covers: new Set(), facts: new Set(), citing: new Map(), ranges: new Set(), mainlines: new Set() },
  };
}

export function isCoverLacking({ wants }: RoomCover): boolean {
  return [wants.covers, wants.facts, wants.citing, wants.ranges, wants.mainlines].some(({ size }) => size > 0);
}

/** The event's place, with the links of its chain and all that they lead to loaded; undefined: wanted now. */
export function positionIn(cover: RoomCover, eventId: string): Position | undefined {
  const position = cover.positions.get(eventId);
  if (position !== undefined && cover.links.has(position.chain)) return position;
  cover.wants.covers.add(eventId);
  return undefined;
}

/** What links out of a chain that `positionIn` has led to. */
export function linksIn({ links }: RoomCover): (chain: number) => readonly ChainLink[] {
  return (chain) => links.get(chain)!;
}

export function factsIn(cover: RoomCover, chain: number): ChainFacts | undefined {
  const facts = cover.facts.get(chain);
  if (facts === undefined) cover.wants.facts.add(chain);
  return facts;
}

/** The events in the ranges, without those of `except`; undefined: wanted now. */
export function eventsIn(cover: RoomCover, ranges: readonly ChainRange[], except: ReadonlySet<string>): Set<string> | undefined {
  const found = new Set<string>();
  for (const range of ranges) {
    const events = cover.events.get(range.chain);
    for (let seq = range.above + 1; seq <= range.upTo; seq += 1) {
      const eventId = events?.get(seq);
      if (eventId === undefined) {
        cover.wants.ranges.add(range);
        break;
      }
      if (!except.has(eventId)) found.add(eventId);
    }
  }
  return cover.wants.ranges.size > 0 ? undefined : found;
}

/** Gives an event whose chain is no committed one a chain of its own; its links and facts are still to be noted. */
export function noteLoose(cover: RoomCover, eventId: string): number {
  const chain = -1 - cover.loose.size;
  cover.loose.set(eventId, chain);
  notePosition(cover, eventId, { chain, seq: 1 });
  return chain;
}

/** A state event that no table has, where all that it cites is known, and its key is in the head, so that nothing has to be read. Nothing links to create events. */
export function coverNew(cover: RoomCover, { eventId, pdu }: { eventId: string; pdu: Pdu }, createEventId: string): void {
  if (!cover.begun || cover.positions.has(eventId)) return;
  const cited = authEventIds(pdu).filter((authId) => authId !== createEventId).map((authId) => cover.positions.get(authId));
  const targets = cited.filter((target) => target !== undefined && cover.links.has(target.chain)) as Position[];
  if (targets.length < cited.length) return;
  const chain = noteLoose(cover, eventId);
  cover.links.set(chain, targets.map((target) => ({ seq: 1, target })));
  cover.facts.set(chain, { slot: slotOfEvent(pdu), currentId: undefined });
}

export function notePosition(cover: RoomCover, eventId: string, position: Position): void {
  cover.positions.set(eventId, position);
  const events = cover.events.get(position.chain);
  if (events === undefined) cover.events.set(position.chain, new Map([[position.seq, eventId]]));
  else events.set(position.seq, eventId);
}
