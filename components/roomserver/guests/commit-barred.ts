/** Rooms that guests have to leave. A row stands until all of them are gone; it is named by the event that has barred them, so that a later one is not taken for it. */
import type { Database, Reader, Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput } from '../input/effects.ts';
import { barringEvents } from './guest-access.ts';

export interface BarredRoom {
  readonly roomId: string;
  readonly eventId: string;
}

export async function writeBarred(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const barred = barringEvents(accepted);
  if (barred.length === 0) return;
  await tx.insertMany({
    into: 'barred_rooms', columns: ['room_id', 'event_id', 'partition'], rows: barred.map(({ roomId, eventId, partition }) => [roomId, eventId, partition]),
    onConflict: 'ON CONFLICT (room_id) DO UPDATE SET event_id = excluded.event_id, partition = excluded.partition',
  });
}

/** At most `limit` of these partitions. */
export async function readBarred(reader: Reader, partitions: readonly number[], limit: number): Promise<BarredRoom[]> {
  if (partitions.length === 0) return [];
  const rows = await reader.queryIn<{ room_id: string; event_id: string }>('SELECT room_id, event_id FROM barred_rooms WHERE partition IN (??)', [], partitions);
  return rows.slice(0, limit).map((row) => ({ roomId: row.room_id, eventId: row.event_id }));
}

/** All guests that were in the room at this event are gone. Harmless when another process has done the same. */
export async function removeBarred(database: Database, { roomId, eventId }: BarredRoom): Promise<void> {
  await database.transaction((tx) => tx.run('DELETE FROM barred_rooms WHERE room_id = ? AND event_id = ?', [roomId, eventId]));
}
