/** The outbox: output records in their producer's tables. Written in the owner's transaction, read by the relay and by consumers that repair gaps. */
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { OutputLogName } from './log.ts';
import type { OutboxReader } from './outbox-reader.ts';

/** Adds records with their sequence numbers; in the owner's transaction, after its position was saved. */
export async function writeOutbox(tx: Transaction, log: OutputLogName, rows: readonly { partition: number; envelope: OutputEnvelope }[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.insertMany({
    into: 'outbox',
    columns: ['log', 'partition', 'sequence', 'epoch', 'record'],
    rows: rows.map(({ partition, envelope }) => [log, partition, envelope.sequence, envelope.epoch, envelope.record]),
  });
}

/** Reads the outbox of the producer whose positions are kept under `producer` (its consumer name). */
export function outboxReader(database: Database, log: OutputLogName, producer: string): OutboxReader {
  return {
    async read(partition, after, limit) {
      const rows = await database.query<{ sequence: number; epoch: number; record: Uint8Array }>(
        'SELECT sequence, epoch, record FROM outbox WHERE log = ? AND partition = ? AND sequence > ? ORDER BY sequence LIMIT ?', [log, partition, after, limit]);
      // After the rows: what is trimmed between both must not look as if nothing were missing before them.
      const trimmed = await database.query<{ sequence: number }>('SELECT sequence FROM outbox_trimmed WHERE log = ? AND partition = ?', [log, partition]);
      return { envelopes: rows, trimmedTo: trimmed[0]?.sequence ?? 0 };
    },
    async heads() {
      const rows = await database.query<{ partition: number; sequence: number }>('SELECT partition, sequence FROM positions WHERE consumer = ?', [producer]);
      const heads: number[] = [];
      for (const row of rows) heads[row.partition] = row.sequence;
      return heads;
    },
  };
}

/** Rows that one transaction deletes at most: after a long backlog, writers and (on SQLite) the whole process would wait for it. */
export const DELETE_ROWS_MAX = 1000;

/**
 * Deletes what every registered consumer has passed, but keeps the newest `keep` records of each partition; beyond `keepMax` a consumer that hangs is
 * not waited for (it rebuilds from a snapshot). `passed`: sequences per partition, one list a consumer. `rest` is waited for between its transactions. The result is how many were
 * deleted.
 */
export async function trimOutbox(
  database: Database, log: OutputLogName, heads: readonly number[],
  limits: { passed: readonly (readonly number[])[]; keep: number; keepMax: number; rest?: () => Promise<void> },
): Promise<number> {
  let deleted = 0;
  for (const [partition, head] of heads.entries()) {
    const slowest = Math.min(head, ...limits.passed.map((sequences) => sequences[partition] ?? 0));
    const floor = Math.max(Math.min(slowest, head - limits.keep), head - limits.keepMax);
    if (floor > 0) deleted += await trimPartition(database, log, { partition, floor, rest: limits.rest });
  }
  return deleted;
}

async function trimPartition(database: Database, log: OutputLogName, { partition, floor, rest }: { partition: number; floor: number; rest: (() => Promise<void>) | undefined }): Promise<number> {
  let deleted = 0;
  for (;;) {
    // Looked up each time: after a restore (`leap.ts`) the numbers that are left may be far apart.
    const [oldest] = await database.query<{ sequence: number | null }>('SELECT MIN(sequence) AS sequence FROM outbox WHERE log = ? AND partition = ?', [log, partition]);
    const from = oldest?.sequence ?? floor + 1;
    if (from > floor) return deleted;
    const to = Math.min(floor, from + DELETE_ROWS_MAX - 1);
    deleted += await database.transaction(async (tx) => {
      const { changes } = await tx.run('DELETE FROM outbox WHERE log = ? AND partition = ? AND sequence <= ?', [log, partition, to]);
      if (changes === 0) return 0;
      await tx.insertMany({
        into: 'outbox_trimmed', columns: ['log', 'partition', 'sequence'], rows: [[log, partition, to]],
        onConflict: 'ON CONFLICT (log, partition) DO UPDATE SET sequence = excluded.sequence WHERE outbox_trimmed.sequence < excluded.sequence',
      });
      return changes;
    });
    await rest?.();
  }
}
