/** Saving positions with effects, and the fence: a commit under an epoch that is no longer the partition's changes nothing. */
import type { Database, Transaction } from '../storage/database.ts';

export interface Position {
  readonly partition: number;
  readonly epoch: number;
  readonly transport: string;
  readonly position: number;
  readonly sequence: number;
  readonly relayed: number;
}

/** The transaction was made under an epoch that another owner has ended; nothing of it was written. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

/**
 * Writes the positions of a batch, first thing in its transaction: it locks the rows, so that a take-over waits for the end of this transaction
 * or makes it fail. Throws `Fenced` when an epoch is not ours any more.
 */
export async function savePositions(tx: Transaction, consumer: string, positions: readonly Position[]): Promise<void> {
  const sorted = [...positions].sort((a, b) => a.partition - b.partition);
  const { changes } = await tx.insertMany({
    into: 'positions',
    columns: ['consumer', 'partition', 'epoch', 'transport', 'position', 'sequence', 'relayed'],
    rows: sorted.map((p) => [consumer, p.partition, p.epoch, p.transport, p.position, p.sequence, p.relayed]),
    onConflict: `ON CONFLICT (consumer, partition) DO UPDATE SET transport = excluded.transport, position = excluded.position, sequence = excluded.sequence,
      relayed = excluded.relayed WHERE positions.epoch = excluded.epoch`,
  });
  if (changes !== sorted.length) throw new Fenced(`${consumer} no longer owns one of the partitions ${sorted.map((p) => p.partition).join(', ')}`);
}

/** What the table says of these partitions now. */
export function readPositions(database: Database, consumer: string, partitions: readonly number[]): Promise<Position[]> {
  return database.queryIn('SELECT partition, epoch, transport, position, sequence, relayed FROM positions WHERE consumer = ? AND partition IN (??)',
    [consumer], partitions) as Promise<(Position & Record<string, never>)[]>;
}

/** Applied (or made) sequence of every partition, by partition: how far a consumer is. */
export async function readSequences(database: Database, consumer: string): Promise<number[]> {
  const rows = await database.query<{ partition: number; sequence: number }>(
    'SELECT partition, sequence FROM positions WHERE consumer = ? ORDER BY partition', [consumer]);
  const sequences: number[] = [];
  for (const row of rows) sequences[row.partition] = row.sequence;
  return sequences;
}
