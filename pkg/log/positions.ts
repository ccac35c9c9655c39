/** Saving positions with effects, and the fence: a commit under an epoch that is no longer the partition's changes nothing. */
import type { Database, Reader, Transaction } from '../storage/database.ts';

export interface Position {
  readonly partition: number;
  readonly epoch: number;
  readonly transport: string;
  readonly position: number;
  readonly sequence: number;
  readonly relayed: number;
  /** How many transactions have saved it before the one that is to do so now. */
  readonly commits: number;
}

/**
 * The transaction does not stand on the newest one of its partition; nothing of it was written. Either another owner has ended its epoch, or one of our own landed after all,
 * whose COMMIT was not answered and was not to be seen yet when the tables were looked at.
 */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

/**
 * Writes the positions of a batch, first thing in its transaction: it locks the rows, so that a take-over waits for the end of this transaction
 * (or of a lost COMMIT that the database still works at) or makes it fail. Throws `Fenced`.
 */
export async function savePositions(tx: Transaction, consumer: string, positions: readonly Position[]): Promise<void> {
  const sorted = [...positions].sort((a, b) => a.partition - b.partition);
  const { changes } = await tx.insertMany({
    into: 'positions',
    columns: ['consumer', 'partition', 'epoch', 'transport', 'position', 'sequence', 'relayed', 'commits'],
    rows: sorted.map((p) => [consumer, p.partition, p.epoch, p.transport, p.position, p.sequence, p.relayed, p.commits + 1]),
    onConflict: `ON CONFLICT (consumer, partition) DO UPDATE SET transport = excluded.transport, position = excluded.position, sequence = excluded.sequence,
      relayed = excluded.relayed, commits = excluded.commits WHERE positions.epoch = excluded.epoch AND positions.commits = excluded.commits - 1`,
  });
  if (changes !== sorted.length) throw new Fenced(`${consumer} no longer owns, or is not at the newest commit of, one of the partitions ${sorted.map((p) => p.partition).join(', ')}`);
}

/** The same, and what else the transaction writes: issued together, so that it is one round trip. Throws `Fenced` before anything else: who is fenced may run into what the new owner has written. */
export async function saveWithEffects<T>(tx: Transaction, consumer: string, positions: readonly Position[], write: () => Promise<T>): Promise<T> {
  const [saved, written] = await Promise.allSettled([savePositions(tx, consumer, positions), write()]);
  if (saved.status === 'rejected') throw saved.reason;
  if (written.status === 'rejected') throw written.reason;
  return written.value;
}

/** What the table says of these partitions now. */
export function readPositions(database: Reader, consumer: string, partitions: readonly number[]): Promise<Position[]> {
  return database.queryIn('SELECT partition, epoch, transport, position, sequence, relayed, commits FROM positions WHERE consumer = ? AND partition IN (??)',
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
