/**
 * A queue that has grown too long is given up but for the newest event of each room: the destination sees the gap before it and asks for what is in it
 * (server-server: POST /get_missing_events), so that a server that is gone for long costs a row a room.
 */
import type { Database } from '../../../pkg/storage/database.ts';
import { countQueued, keepNewestOfRooms } from '../storage/destination-queue.ts';
import { keepNewestUnits } from '../storage/unit-queue.ts';
import type { Destination } from './destination.ts';
import type { SenderMetrics } from './sender-metrics.ts';

/** Of a destination that fails. */
export const QUEUE_FAILING_MAX = 1000;
/** Of one that answers, but more slowly than events are made. */
export const QUEUE_MAX = 20_000;
/** Of units that have to arrive: nobody can ask for those that are given up. */
const UNITS_MAX = 50_000;

/** Says how many events wait afterwards, as far as they were counted. */
export async function keepQueueShort({ database, metrics }: { database: Database; metrics: SenderMetrics }, destination: Pick<Destination, 'name' | 'backoff'>): Promise<number> {
  const units = await keepNewestUnits(database, destination.name, UNITS_MAX);
  if (units > 0) metrics.dropped('catch-up', units);
  const max = destination.backoff === undefined ? QUEUE_MAX : QUEUE_FAILING_MAX;
  const before = await countQueued(database, destination.name, max);
  if (before <= max) return before;
  const { changes } = await database.transaction((tx) => keepNewestOfRooms(tx, destination.name));
  metrics.dropped('catch-up', changes);
  return countQueued(database, destination.name, max);
}
