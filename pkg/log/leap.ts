/**
 * After a database was put back from a backup: sequence numbers of its output log have been given out since that it knows nothing of. Readers of another database, clients' tokens and brokers have seen them,
 * so they must not be given out again. The owner's numbers leap beyond all of them; readers take the numbers that are left out for an old gap, which the outbox shows to be none.
 */
import { outputConsumerName } from './output-consumer.ts';
import type { OutputLogName } from './log.ts';
import type { Database, Reader, Transaction } from '../storage/database.ts';

export interface LogOwner {
  /** Names the owner's positions. */
  readonly consumer: string;
  readonly log: OutputLogName;
  readonly database: Database;
}

export interface LogReaderAt {
  /** The component. */
  readonly consumer: string;
  readonly database: Database;
}

export interface LeaptPartition {
  readonly partition: number;
  /** Of the owner's lease. */
  readonly epoch: number;
  /** Before the leap. */
  readonly from: number;
  /** The next record gets the number after it. */
  readonly sequence: number;
}

/** More than any partition has had records since a backup. */
const LEAP = 1_000_000_000;
/** The same of changes of owners: what is not stored (who types) is told by epoch. */
const EPOCHS_LEAP = 1_000_000;

type Row = { partition: number; sequence: number; epoch: number };

/**
 * Whether a reader has applied what the owner has never said: one of their databases is older than the other. The readers are asked first: in order, an owner is never behind what they had then.
 */
export async function isOlderThanReaders(owner: LogOwner, readers: readonly LogReaderAt[]): Promise<boolean> {
  const applied = await newestApplied(owner.log, readers);
  const made = new Map((await rowsOf(owner.database, owner.consumer)).map((row) => [row.partition, row.sequence]));
  return made.size > 0 && [...applied].some(([partition, sequence]) => sequence > (made.get(partition) ?? Infinity));
}

/** How far the furthest of the readers is, by partition. */
export async function newestApplied(log: OutputLogName, readers: readonly LogReaderAt[]): Promise<Map<number, number>> {
  const newest = new Map<number, number>();
  for (const { consumer, database } of readers) {
    for (const { partition, sequence } of await rowsOf(database, outputConsumerName(consumer, log))) newest.set(partition, Math.max(sequence, newest.get(partition) ?? 0));
  }
  return newest;
}

/**
 * In a transaction on the owner's database: an owner that runs meanwhile is fenced off, and looks at its tables again. A later leap goes further than an earlier one, also when the same backup is put back
 * twice: numbers begin at the time in ms, and a partition has fewer records than a ms each.
 */
export async function leapSequences(tx: Transaction, consumer: string, at: { readonly nowMs: number; readonly applied: ReadonlyMap<number, number> }): Promise<LeaptPartition[]> {
  // Locks the rows.
  await tx.run('UPDATE positions SET commits = commits + 1 WHERE consumer = ?', [consumer]);
  await tx.run('UPDATE leases SET epoch = epoch + ? WHERE consumer = ?', [EPOCHS_LEAP, consumer]);
  const leapt: LeaptPartition[] = [];
  for (const { partition, sequence: from, epoch } of await rowsOf(tx, consumer)) {
    const sequence = Math.max(at.nowMs, from + LEAP, (at.applied.get(partition) ?? 0) + LEAP);
    await tx.run('UPDATE positions SET sequence = ? WHERE consumer = ? AND partition = ?', [sequence, consumer, partition]);
    leapt.push({ partition, epoch, from, sequence });
  }
  return leapt;
}

/** Readers that have all there was before the leap have all there is after it. Others find the numbers by themselves. */
export async function leapReaders(log: OutputLogName, readers: readonly LogReaderAt[], leapt: readonly LeaptPartition[]): Promise<void> {
  for (const { consumer, database } of readers) {
    await database.transaction(async (tx) => {
      for (const { partition, from, sequence } of leapt) {
        await tx.run('UPDATE positions SET sequence = ?, commits = commits + 1 WHERE consumer = ? AND partition = ? AND sequence >= ? AND sequence < ?', [sequence, outputConsumerName(consumer, log), partition, from, sequence]);
      }
    });
  }
}

function rowsOf(reader: Reader, consumer: string): Promise<Row[]> {
  return reader.query<Row>('SELECT partition, sequence, epoch FROM positions WHERE consumer = ? ORDER BY partition', [consumer]);
}
