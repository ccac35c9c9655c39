/** Records that can never be processed: kept for a person to look at, while their partition goes on. */
import { createHash } from 'node:crypto';
import type { Transaction } from '../storage/database.ts';

export interface DeadLetter {
  readonly partition: number;
  readonly position: number;
  readonly reason: string;
  readonly record: Uint8Array;
  /** What was thrown, for the log. */
  readonly error?: unknown;
}

/** A record redelivered to the same fate is one dead letter: its id is the hash of where it stood and what it said. */
export async function saveDeadLetters(tx: Transaction, consumer: string, nowMs: number, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  await tx.insertMany({
    into: 'dead_letters',
    columns: ['consumer', 'id', 'partition', 'position', 'reason', 'record', 'dead_at'],
    rows: letters.map((letter) => [consumer, idOf(letter), letter.partition, letter.position, storable(letter.reason), letter.record, nowMs]),
    onConflict: 'ON CONFLICT (consumer, id) DO NOTHING',
  });
}

/** What was said about a record may quote it, and no database takes all that a record may hold. */
function storable(reason: string): string {
  return reason.slice(0, 500).replaceAll('\0', '').toWellFormed();
}

function idOf(letter: DeadLetter): string {
  return createHash('sha256').update(`${letter.partition}:${letter.position}:`).update(letter.record).digest('base64url');
}
