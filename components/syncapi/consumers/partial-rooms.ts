/** Rooms that were joined without their members: since when, and until when, which come in slices of the state in between. */
import type { Reader, Transaction } from '../../../pkg/storage/database.ts';
import type { Records } from './decoded.ts';

export interface PartialRoom {
  readonly began: number;
  /** 0: not yet. */
  readonly ended: number;
}

/** Sequence numbers of the records that say so. */
export async function writePartialRooms(tx: Transaction, records: Records): Promise<void> {
  for (const { sequence, output: { record: { roomId, partial } } } of records) {
    if (!partial) continue;
    await tx.insertMany({
      into: 'partial_rooms', columns: ['room_id', 'began', 'ended'], rows: [partial.ended ? [roomId, 0, sequence] : [roomId, sequence, 0]],
      onConflict: partial.ended ? 'ON CONFLICT (room_id) DO UPDATE SET ended = excluded.ended' : 'ON CONFLICT (room_id) DO UPDATE SET began = excluded.began, ended = 0',
    });
  }
}

/** By room ID. */
export async function readPartialRooms(reader: Reader, roomIds: readonly string[]): Promise<Map<string, PartialRoom>> {
  if (roomIds.length === 0) return new Map();
  const rows = await reader.queryIn<{ room_id: string; began: number; ended: number }>('SELECT room_id, began, ended FROM partial_rooms WHERE room_id IN (??)', [], roomIds);
  return new Map(rows.map(({ room_id: roomId, began, ended }) => [roomId, { began, ended }]));
}
