/**
 * Rooms that a destination has to catch up with, in the tables: in place of the events that were queued for it and given up. A mark says "when it is back, it gets the room's forward extremities
 * of that time"; as long as it stands nothing more of the room has to be queued.
 *
 * `resolving` is empty until somebody sets about sending the extremities, and written down before these are read: an event whose consumer still found the mark empty is older than that, so it is
 * among the extremities or before them; the consumer of a later one finds the mark taken, and queues the event. So no lock is needed, and nothing is lost.
 */
import type { Reader, SqlRow, Transaction } from '../../../pkg/storage/database.ts';

/** A destination, and the partition that it belongs to. */
export interface DestinationPlace {
  readonly name: string;
  readonly partition: number;
}

/** Gives up what is queued of rooms in which the destination is, for a mark each. Marks whose extremities were being sent stand as before. */
export async function markQueuedRooms(tx: Transaction, { name, partition }: DestinationPlace, nowMs: number): Promise<{ changes: number }> {
  await tx.run("UPDATE destination_rooms SET resolving = '' WHERE partition = ? AND destination = ? AND resolving <> ''", [partition, name]);
  await tx.run(
    `INSERT INTO destination_rooms (room_id, destination, partition, resolving, marked_at)
       SELECT q.room_id, q.destination, CAST(? AS BIGINT), '', COALESCE(MIN(q.queued_at), CAST(? AS BIGINT)) FROM destination_queue q
       JOIN joined_hosts j ON j.room_id = q.room_id AND j.server_name = q.destination WHERE q.destination = ? GROUP BY q.room_id, q.destination
     ON CONFLICT (room_id, destination) DO UPDATE SET resolving = ''`, [partition, nowMs, name]);
  // Not those of a room that it leaves meanwhile: what tells it so is queued for it alone.
  return tx.run(
    `DELETE FROM destination_queue WHERE destination = ?
       AND EXISTS (SELECT 1 FROM destination_rooms r WHERE r.room_id = destination_queue.room_id AND r.destination = destination_queue.destination AND r.resolving = '')
       AND EXISTS (SELECT 1 FROM joined_hosts j WHERE j.room_id = destination_queue.room_id AND j.server_name = destination_queue.destination)`, [name]);
}

/** By room ID, the destinations for which nothing of the room has to be queued. `roomIds`: of events that are in the tables of their owner. */
export async function readMarked(reader: Reader, roomIds: readonly string[]): Promise<Map<string, Set<string>>> {
  const marked = new Map<string, Set<string>>();
  const rows = await reader.queryIn<SqlRow & { room_id: string; destination: string }>("SELECT room_id, destination FROM destination_rooms WHERE resolving = '' AND room_id IN (??)", [], roomIds);
  for (const { room_id: roomId, destination } of rows) {
    const known = marked.get(roomId);
    if (known === undefined) marked.set(roomId, new Set([destination]));
    else known.add(destination);
  }
  return marked;
}

export async function readMarkedRooms(reader: Reader, { name, partition }: DestinationPlace, limit: number): Promise<string[]> {
  const rows = await reader.query<SqlRow & { room_id: string }>('SELECT room_id FROM destination_rooms WHERE partition = ? AND destination = ? ORDER BY room_id LIMIT ?', [partition, name, limit]);
  return rows.map((row) => row.room_id);
}

/** Before the extremities of these rooms are read. `attempt`: a name that nobody else uses. */
export async function beginResolving(tx: Transaction, { name }: DestinationPlace, roomIds: readonly string[], attempt: string): Promise<void> {
  for (const roomId of roomIds) await tx.run('UPDATE destination_rooms SET resolving = ? WHERE room_id = ? AND destination = ?', [attempt, roomId, name]);
}

/** What the attempt has sent. Marks that were made again since stay. */
export async function removeMarks(tx: Transaction, { name }: DestinationPlace, roomIds: readonly string[], attempt: string): Promise<void> {
  for (const roomId of roomIds) await tx.run('DELETE FROM destination_rooms WHERE room_id = ? AND destination = ? AND resolving = ?', [roomId, name, attempt]);
}

export async function removeAllMarks(tx: Transaction, { name, partition }: DestinationPlace): Promise<void> {
  await tx.run('DELETE FROM destination_rooms WHERE partition = ? AND destination = ?', [partition, name]);
}
