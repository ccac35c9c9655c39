/** Units (EDUs) that must reach other servers, whatever happens here or there, in the tables: each is sent until it has arrived. */
import type { Database, Reader, SqlRow, Transaction } from '../../../pkg/storage/database.ts';

/** Where a unit comes from: a record of user-output, and its place in it. */
export interface UnitPlace {
  readonly destination: string;
  readonly originPartition: number;
  readonly originSequence: number;
  readonly number: number;
}

export interface QueuedUnit extends UnitPlace {
  /** The EDU: canonical JSON. */
  readonly json: string;
  /** Units of one subject can be made good by the newest of them; absent: each has to arrive. */
  readonly subject?: string;
}

interface UnitRow extends SqlRow {
  readonly origin_partition: number;
  readonly origin_sequence: number;
  readonly unit_number: number;
  readonly unit: Uint8Array;
}

/** `partitionOfDestination`: whose owner sends it. What is queued already stays as it is. */
export async function enqueueUnits(tx: Transaction, units: readonly QueuedUnit[], at: { nowMs: number; partitionOfDestination: (destination: string) => number }): Promise<void> {
  if (units.length === 0) return;
  await tx.insertMany({
    into: 'unit_queue',
    columns: ['destination', 'origin_partition', 'origin_sequence', 'unit_number', 'partition', 'unit', 'queued_at', 'subject'],
    rows: units.map((one) => [one.destination, one.originPartition, one.originSequence, one.number, at.partitionOfDestination(one.destination), Buffer.from(one.json), at.nowMs, one.subject ?? '']),
    onConflict: 'ON CONFLICT (destination, origin_partition, origin_sequence, unit_number) DO NOTHING',
  });
}

/** Up to `limit` units for the destination, those of each user in order. */
export async function readUnitQueue(reader: Reader, destination: string, limit: number): Promise<QueuedUnit[]> {
  if (limit === 0) return [];
  const rows = await reader.query<UnitRow>(
    'SELECT origin_partition, origin_sequence, unit_number, unit FROM unit_queue WHERE destination = ? ORDER BY origin_partition, origin_sequence, unit_number LIMIT ?', [destination, limit]);
  return rows.map((row) => ({ destination, originPartition: row.origin_partition, originSequence: row.origin_sequence, number: row.unit_number, json: Buffer.from(row.unit).toString('utf8') }));
}

export async function dequeueUnits(tx: Transaction, units: readonly UnitPlace[]): Promise<void> {
  for (const { destination, originPartition, originSequence, number } of units) {
    await tx.run('DELETE FROM unit_queue WHERE destination = ? AND origin_partition = ? AND origin_sequence = ? AND unit_number = ?', [destination, originPartition, originSequence, number]);
  }
}

export async function dequeueAllUnits(tx: Transaction, destination: string): Promise<void> {
  await tx.run('DELETE FROM unit_queue WHERE destination = ?', [destination]);
}

/** Keeps the newest `max` units, or fewer where many came at the same time. Says how many went. */
export async function keepNewestUnits(database: Pick<Database, 'query' | 'transaction'>, destination: string, max: number): Promise<number> {
  const [row] = await database.query<SqlRow & { queued_at: number }>('SELECT queued_at FROM unit_queue WHERE destination = ? ORDER BY queued_at DESC LIMIT 1 OFFSET ?', [destination, max]);
  if (row === undefined) return 0;
  const { changes } = await database.transaction((tx) => tx.run('DELETE FROM unit_queue WHERE destination = ? AND queued_at <= ?', [destination, row.queued_at]));
  return changes;
}

/** Of every subject that can be made good the newest stays. Says how many went. */
export async function keepNewestOfSubjects(tx: Transaction, destination: string): Promise<{ changes: number }> {
  return tx.run(
    `DELETE FROM unit_queue WHERE destination = ? AND subject <> '' AND NOT EXISTS (
       SELECT 1 FROM (SELECT u.subject AS subject, u.origin_partition AS origin_partition, MAX(u.origin_sequence) AS newest FROM unit_queue u WHERE u.destination = ? AND u.subject <> ''
         GROUP BY u.subject, u.origin_partition) AS kept
       WHERE kept.subject = unit_queue.subject AND kept.origin_partition = unit_queue.origin_partition AND kept.newest = unit_queue.origin_sequence)`, [destination, destination]);
}
