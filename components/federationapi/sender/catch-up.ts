/**
 * A server that is gone for long, or far too slow, costs a row a room: what is queued for it of the rooms that it is in is given up for a mark (`storage/destination-rooms.ts`), and when it is
 * back it gets the forward extremities of these rooms, sees the gap before them, and asks for what is in it (server-server: POST /get_missing_events).
 */
import type { Backoff } from '../../../pkg/federation/backoff.ts';
import type { Database, Transaction } from '../../../pkg/storage/database.ts';
import { countWaiting, keepNewestOfRooms, type Waiting } from '../storage/destination-queue.ts';
import { markQueuedRooms, type DestinationPlace } from '../storage/destination-rooms.ts';
import { keepNewestOfSubjects, keepNewestUnits } from '../storage/unit-queue.ts';
import type { Counts, Destination } from './destination.ts';
import type { SenderMetrics } from './sender-metrics.ts';

export interface CatchUpLimits {
  /** Events for a destination that fails. */
  readonly failingEventsMax: number;
  /** For one that answers, but more slowly than events are made. */
  readonly eventsMax: number;
  /** A destination that has failed for so long is sent the ends of its rooms, however little waits for it. */
  readonly goneMs: number;
}

export const CATCH_UP_DEFAULT: CatchUpLimits = { failingEventsMax: 1000, eventsMax: 20_000, goneMs: 3_600_000 };
/** Of units that have to arrive: nobody can ask for those that are given up. */
const UNITS_MAX = 50_000;

export interface ShortenDeps {
  readonly database: Database;
  readonly metrics: SenderMetrics;
  readonly catchUp: CatchUpLimits;
}

/** Whether it has failed for so long that it will have to catch up. */
function isGone(backoff: Backoff | undefined, nowMs: number, { goneMs }: CatchUpLimits): boolean {
  return backoff !== undefined && nowMs - backoff.failingSinceMs >= goneMs;
}

/** Says how much waits afterwards, as far as it was counted. Not while a transaction to the destination is under way. */
export async function keepQueueShort({ database, metrics, catchUp }: ShortenDeps, destination: Destination, nowMs: number): Promise<Counts> {
  const gone = isGone(destination.backoff, nowMs, catchUp);
  const max = destination.backoff === undefined ? catchUp.eventsMax : catchUp.failingEventsMax;
  const count = (queue: Parameters<typeof countWaiting>[1], limit: number): Promise<Waiting> => countWaiting(database, queue, destination, limit);
  const [events, units] = [await count('destination_queue', max), await count('unit_queue', UNITS_MAX)];
  const isTooLong = events.count > max || (gone && events.count > 0);
  if (isTooLong) destination.hasMarks = true;
  let given = { events: 0, units: 0 };
  if (isTooLong || (gone && (destination.isResolving || units.count > 1))) {
    given = await database.transaction((tx) => giveUp(tx, destination, { nowMs, isTooLong, gone }));
    destination.isResolving = false;
  }
  if (units.count - given.units > UNITS_MAX) given.units += await keepNewestUnits(database, destination.name, UNITS_MAX);
  if (given.events + given.units > 0) metrics.dropped('catch-up', given.events + given.units);
  return {
    events: given.events === 0 ? events : await count('destination_queue', max),
    units: given.units === 0 ? units : await count('unit_queue', UNITS_MAX),
    rooms: destination.hasMarks ? await count('destination_rooms', max) : { count: 0, sinceMs: undefined },
  };
}

async function giveUp(tx: Transaction, destination: DestinationPlace, { nowMs, isTooLong, gone }: { nowMs: number; isTooLong: boolean; gone: boolean }): Promise<{ events: number; units: number }> {
  let events = (await markQueuedRooms(tx, destination, nowMs)).changes;
  if (isTooLong) events += (await keepNewestOfRooms(tx, destination.name)).changes;
  return { events, units: gone ? (await keepNewestOfSubjects(tx, destination.name)).changes : 0 };
}
