/** Walks from events to what precedes them, through those that have a place in the graph: the way ends at outliers and at rejected events. What lies just before them in the room's order is read at once, so that a straight room costs one or two reads and not one a step. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { MissingEventsWish, StoredEvent } from '../../../schemas/ports/room-query.ts';
import { graphEvent, type GraphEvent } from './refs-of.ts';
import { isStorable, OF_ROOM, readPlaced, STORED, storedEvent, type StoredSql } from './stored-event.ts';

/** Most events of one answer, whatever is asked for. */
const LIMIT_MAX = 1000;
/** More than what is asked for is read ahead by this, for what lies beside the way. */
const READ_AHEAD = 10;

interface Walk {
  /** The events among these IDs that are of the room; the others are left out. */
  at(eventIds: readonly string[]): Promise<GraphEvent[]>;
}

/** See `RoomHistoryQuery.missingEvents`. */
export async function missingEvents(reader: Reader, wish: MissingEventsWish): Promise<StoredEvent[]> {
  const limit = Math.min(wish.limit, LIMIT_MAX);
  const walk = createWalk(reader, wish.roomId, limit);
  const seen = new Set([...wish.earliest, ...wish.latest]);
  const missing: GraphEvent[] = [];
  let level = await walk.at(wish.latest.filter((eventId) => !wish.earliest.includes(eventId)));
  while (level.length > 0 && missing.length < limit) {
    const next = [...new Set(level.flatMap((event) => event.prevEvents))].filter((eventId) => !seen.has(eventId));
    next.forEach((eventId) => seen.add(eventId));
    level = (await walk.at(next)).filter((event) => event.depth >= wish.minDepth).sort(deepestFirst);
    missing.push(...level);
  }
  return missing.slice(0, limit).sort(deepestFirst).reverse().map(({ event }) => event);
}

/** See `RoomHistoryQuery.backfill`. */
export async function backfill(reader: Reader, wish: { roomId: string; from: readonly string[]; limit: number }): Promise<StoredEvent[]> {
  const limit = Math.min(wish.limit, LIMIT_MAX);
  const walk = createWalk(reader, wish.roomId, limit);
  const seen = new Set(wish.from);
  const answer: StoredEvent[] = [];
  let ahead = (await walk.at([...seen])).sort(deepestFirst);
  while (ahead.length > 0 && answer.length < limit) {
    const [deepest, ...others] = ahead as [GraphEvent, ...GraphEvent[]];
    answer.push(deepest.event);
    const next = deepest.prevEvents.filter((eventId) => !seen.has(eventId));
    next.forEach((eventId) => seen.add(eventId));
    ahead = [...others, ...(await walk.at(next))].sort(deepestFirst);
  }
  return answer;
}

function createWalk(reader: Reader, roomId: string, limit: number): Walk {
  let known: Map<string, GraphEvent> | undefined;

  /** A range and not a LIMIT: it is short whatever plan the database makes. Order keys have no holes worth mentioning. */
  async function readAhead(orderKey: number): Promise<void> {
    const rows = await reader.query<StoredSql>(
      `${STORED} events e ${OF_ROOM} WHERE e.room_id = ? AND e.order_key < ? AND e.order_key >= ? AND e.rejected = 0`, [roomId, orderKey, orderKey - limit - READ_AHEAD]);
    known = new Map(rows.map((row) => [row.event_id, graphEvent(storedEvent(row))]));
  }

  return {
    async at(eventIds) {
      const absent = eventIds.filter((eventId) => known?.has(eventId) !== true);
      const events = eventIds.flatMap((eventId) => known?.get(eventId) ?? []);
      for (const event of await readPlaced(reader, absent)) if (event.roomId === roomId) events.push(graphEvent(event));
      const orderKeys = events.flatMap(({ event }) => event.orderKey ?? []);
      if (known === undefined && orderKeys.length > 0 && isStorable(roomId)) await readAhead(Math.max(...orderKeys));
      return events;
    },
  };
}

function deepestFirst(left: GraphEvent, right: GraphEvent): number {
  return right.depth - left.depth || (right.event.orderKey ?? 0) - (left.event.orderKey ?? 0);
}
