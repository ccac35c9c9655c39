/**
 * Where the queues begin. A federationapi that finds a room-output without having followed it before (its database is new, or was dropped to be built again) learns from
 * it who is in which room, but sends nothing of it: that was sent already, or is older than anybody waits for. What was queued and unsent when a database was dropped is
 * lost to the queues; its destinations ask for it when the next event of the room shows them the gap.
 */
import type { OutboxReader } from '../../../pkg/log/outbox-reader.ts';
import type { Database, Reader, SqlRow } from '../../../pkg/storage/database.ts';

/** Notes the present ends of all partitions that have no start yet. Before the first record is applied. */
export async function ensureQueueStarts(database: Database, outbox: Pick<OutboxReader, 'heads'>, partitions: number): Promise<void> {
  const known = await readQueueStarts(database);
  if (known.size >= partitions) return;
  const heads = await outbox.heads();
  const rows = Array.from({ length: partitions }, (_, partition) => [partition, heads[partition] ?? 0]);
  await database.transaction((tx) => tx.insertMany({ into: 'queue_starts', columns: ['partition', 'sequence'], rows, onConflict: 'ON CONFLICT (partition) DO NOTHING' }));
}

/** By partition. */
export async function readQueueStarts(reader: Reader): Promise<Map<number, number>> {
  const rows = await reader.query<SqlRow & { partition: number; sequence: number }>('SELECT partition, sequence FROM queue_starts');
  return new Map(rows.map(({ partition, sequence }) => [partition, sequence]));
}
