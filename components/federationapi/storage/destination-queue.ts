/** What is still to be sent to other servers, in the tables. */
import type { Reader, SqlRow, Transaction } from '../../../pkg/storage/database.ts';
import type { DestinationPlace } from './destination-rooms.ts';

/** An event to send. */
export interface QueuedEvent {
  readonly destination: string;
  readonly originPartition: number;
  readonly originSequence: number;
  readonly roomId: string;
  readonly eventId: string;
}

interface QueueRow extends SqlRow {
  readonly destination: string;
  readonly origin_partition: number;
  readonly origin_sequence: number;
  readonly room_id: string;
  readonly event_id: string;
}

/** `partitionOfDestination`: whose owner sends it. What is queued already stays as it is. */
export async function enqueue(tx: Transaction, events: readonly QueuedEvent[], at: { nowMs: number; partitionOfDestination: (destination: string) => number }): Promise<void> {
  if (events.length === 0) return;
  await tx.insertMany({
    into: 'destination_queue',
    columns: ['destination', 'origin_partition', 'origin_sequence', 'partition', 'room_id', 'event_id', 'queued_at'],
    rows: events.map((one) => [one.destination, one.originPartition, one.originSequence, at.partitionOfDestination(one.destination), one.roomId, one.eventId, at.nowMs]),
    onConflict: 'ON CONFLICT (destination, origin_partition, origin_sequence) DO NOTHING',
  });
}

const QUEUE_COLUMNS = 'destination, origin_partition, origin_sequence, room_id, event_id';

/**
 * Up to `limit` events for the destination, each room's in order. Goes round the partitions of room-output from `fromPartition` on, so that none waits for another that
 * always has more.
 */
export async function readQueue(reader: Reader, destination: string, { fromPartition, limit }: { fromPartition: number; limit: number }): Promise<QueuedEvent[]> {
  const rows = await reader.query<QueueRow>(
    `SELECT ${QUEUE_COLUMNS} FROM destination_queue WHERE destination = ? AND origin_partition >= ? ORDER BY origin_partition, origin_sequence LIMIT ?`,
    [destination, fromPartition, limit]);
  if (rows.length < limit && fromPartition > 0) {
    rows.push(...await reader.query<QueueRow>(
      `SELECT ${QUEUE_COLUMNS} FROM destination_queue WHERE destination = ? AND origin_partition < ? ORDER BY origin_partition, origin_sequence LIMIT ?`,
      [destination, fromPartition, limit - rows.length]));
  }
  return rows.map((row) => ({
    destination, originPartition: row.origin_partition, originSequence: row.origin_sequence, roomId: row.room_id, eventId: row.event_id,
  }));
}

/** Whether events or stored units wait for the destination. */
export async function isQueuedFor(reader: Pick<Reader, 'query'>, destination: string): Promise<boolean> {
  for (const queue of ['destination_queue', 'unit_queue']) if ((await reader.query(`SELECT 1 AS one FROM ${queue} WHERE destination = ? LIMIT 1`, [destination])).length > 0) return true;
  return false;
}

/** Deletes events as `readQueue` gave them: of each partition of room-output a run without holes, into which nothing is written later. */
export async function dequeue(tx: Transaction, events: readonly QueuedEvent[]): Promise<void> {
  for (const run of Map.groupBy(events, ({ originPartition }) => originPartition).values()) {
    const sequences = run.map(({ originSequence }) => originSequence);
    await tx.run('DELETE FROM destination_queue WHERE destination = ? AND origin_partition = ? AND origin_sequence >= ? AND origin_sequence <= ?',
      [run[0]!.destination, run[0]!.originPartition, Math.min(...sequences), Math.max(...sequences)]);
  }
}

export async function dequeueAll(tx: Transaction, destination: string): Promise<void> {
  await tx.run('DELETE FROM destination_queue WHERE destination = ?', [destination]);
}

/** How much waits for a destination in a table, and since when the oldest of it. */
export interface Waiting {
  readonly count: number;
  readonly sinceMs: number | undefined;
}

/** Not counted beyond `max` + 1. */
export async function countWaiting(reader: Pick<Reader, 'query'>, queue: keyof typeof COUNTS, { name, partition }: DestinationPlace, max: number): Promise<Waiting> {
  const [row] = await reader.query<SqlRow & { n: number; since: number | null }>(COUNTS[queue], queue === 'destination_rooms' ? [name, partition, max + 1] : [name, max + 1]);
  return { count: row?.n ?? 0, sinceMs: row?.since ?? undefined };
}

const COUNT = (queue: string, at: string, where: string): string =>
  `SELECT COUNT(*) AS n, MIN(at) AS since FROM (SELECT ${at} AS at FROM ${queue} WHERE destination = ?${where} LIMIT ?) AS counted`;
const COUNTS = {
  destination_queue: COUNT('destination_queue', 'queued_at', ''),
  unit_queue: COUNT('unit_queue', 'queued_at', ''),
  destination_rooms: COUNT('destination_rooms', 'marked_at', ' AND partition = ?'),
} as const;

/** Keeps the newest event of every room, for those that the destination is not in: it tells how that came. */
export function keepNewestOfRooms(tx: Transaction, destination: string): Promise<{ changes: number }> {
  return tx.run(
    `DELETE FROM destination_queue WHERE destination = ? AND NOT EXISTS (
       SELECT 1 FROM (SELECT q.room_id AS room_id, MAX(q.origin_sequence) AS newest FROM destination_queue q WHERE q.destination = ? GROUP BY q.room_id) AS kept
       WHERE kept.room_id = destination_queue.room_id AND kept.newest = destination_queue.origin_sequence)`, [destination, destination]);
}

/**
 * Destinations for which something waits, in the partitions that `owner` holds under the lease name `consumer`; `marked`: those that have rooms to catch up with. Touches one row a
 * destination and table, however much waits.
 */
export async function readWaitingDestinations(reader: Pick<Reader, 'query'>, consumer: string, owner: string): Promise<{ names: ReadonlySet<string>; marked: ReadonlySet<string> }> {
  const rows = await reader.query<WaitingRow>(WAITING, WAITING_TABLES.flatMap(() => [consumer, owner]));
  const namesOf = (waiting: readonly WaitingRow[]): ReadonlySet<string> => new Set(waiting.map(({ destination }) => destination));
  return { names: namesOf(rows), marked: namesOf(rows.filter(({ queue }) => queue === 'destination_rooms')) };
}

const WAITING_TABLES = ['destination_queue', 'unit_queue', 'destination_rooms'] as const;

type WaitingTable = (typeof WAITING_TABLES)[number];
type WaitingRow = SqlRow & { destination: string; queue: WaitingTable };

const WAITING_IN = (queue: WaitingTable): string => `WITH RECURSIVE waiting(partition, destination) AS (
    SELECT l.partition, (SELECT MIN(q.destination) FROM ${queue} q WHERE q.partition = l.partition) FROM leases l WHERE l.consumer = ? AND l.owner = ?
    UNION ALL
    SELECT w.partition, (SELECT MIN(q.destination) FROM ${queue} q WHERE q.partition = w.partition AND q.destination > w.destination)
      FROM waiting w WHERE w.destination IS NOT NULL
  ) SELECT destination FROM waiting WHERE destination IS NOT NULL`;
/** In one statement: a server at rest asks this every other second. */
const WAITING = WAITING_TABLES.map((queue) => `SELECT destination, '${queue}' AS queue FROM (${WAITING_IN(queue)}) AS of_${queue}`).join(' UNION ALL ');
