/** The tables of the embedded driver, in the database of an input log's consumer. */
import type { Database, Migration } from '../../storage/database.ts';
import type { InputLogName } from '../log.ts';
import { unpackOrPass } from '../pack.ts';
import type { Pack } from '../log.ts';

/** The name under which these steps are counted in `schema_migrations`. */
export const EMBEDDED_LOG_COMPONENT = 'embedded-log';

/**
 * - `log_records`: the packs of input logs, until their consumer has passed them.
 * - `log_reserved`: every offset below has been, or may have been, used. A start begins above it, so that no offset is ever given twice, though
 *   records in memory leave no trace and trimmed ones neither.
 */
export const embeddedLogMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'records',
    statements: [
      `CREATE TABLE log_records (log TEXT NOT NULL, partition BIGINT NOT NULL, place BIGINT NOT NULL, pack BLOB NOT NULL,
         PRIMARY KEY (log, partition, place))`,
      'CREATE TABLE log_reserved (log TEXT NOT NULL, reserved BIGINT NOT NULL, PRIMARY KEY (log))',
    ],
  },
];

const RESERVE_BLOCK = 2 ** 20;
const PAGE_PACKS = 64;

/** Reserves the next block of offsets, for all partitions of `log`. Offsets in [from, to) are the caller's. */
export async function reserveOffsets(database: Database, log: InputLogName): Promise<{ from: number; to: number }> {
  return database.transaction(async (tx) => {
    const [row] = await tx.query<{ reserved: number }>('SELECT reserved FROM log_reserved WHERE log = ?', [log]);
    const from = row?.reserved ?? 1;
    const to = from + RESERVE_BLOCK;
    await tx.run('INSERT INTO log_reserved (log, reserved) VALUES (?, ?) ON CONFLICT (log) DO UPDATE SET reserved = excluded.reserved', [log, to]);
    return { from, to };
  });
}

/** A page of packs with from <= offset < below, in order; empty at the end. */
export async function readPacks(database: Database, log: InputLogName, partition: number, range: { from: number; below: number }): Promise<Pack[]> {
  const rows = await database.query<{ place: number; pack: Uint8Array }>(
    'SELECT place, pack FROM log_records WHERE log = ? AND partition = ? AND place >= ? AND place < ? ORDER BY place LIMIT ?',
    [log, partition, range.from, range.below, PAGE_PACKS],
  );
  return rows.map((row) => ({ offset: row.place, records: unpackOrPass(row.pack) }));
}

/**
 * Removes the packs of a partition below `position`: the consumer's saved position, so that nothing is lost. Says how many it removed.
 */
export async function trim(database: Database, log: InputLogName, partition: number, position: number): Promise<number> {
  return database.transaction(async (tx) => {
    const { changes } = await tx.run('DELETE FROM log_records WHERE log = ? AND partition = ? AND place < ?', [log, partition, position]);
    return changes;
  });
}
