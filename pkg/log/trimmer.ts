/** Deletes what an owner has written and nobody needs any more: output records that all readers have passed, and outcomes that are old. */
import type { Runtime } from '../runtime/runtime.ts';
import type { Database } from '../storage/database.ts';
import type { OutputLogName } from './log.ts';
import { trimOutbox } from './outbox.ts';
import { readSequences } from './positions.ts';
import { forgetOldInputs } from './remembered-inputs.ts';

export interface TrimmerOptions {
  /** The owner, by the name of its positions. */
  readonly consumer: string;
  readonly outputLog: OutputLogName;
  readonly database: Database;
  readonly runtime: Runtime;
  /** How far each reader of the output log is, by partition. */
  readonly outputReaders?: readonly (() => Promise<readonly number[]>)[];
}

export interface Trimmer {
  /** So many output records of the partition were committed. */
  note(partition: number, records: number): void;
  run(signal: AbortSignal): Promise<void>;
}

const EVERY_MS = 60_000;
/** So many records are reason enough to trim the partitions that have them: the pages of those before are used again, and the file does not grow. */
const RECORDS = 500;
/** Between two transactions that delete: others come first. */
const REST_MS = 20;
/** After so many the database is told to use their room again. */
const DELETED = 2000;
const KEEP = 1000;
const KEEP_MAX = 1_000_000;

export function createTrimmer({ consumer, outputLog, database, runtime, outputReaders = [] }: TrimmerOptions): Trimmer {
  const { clock, logger } = runtime;
  let written = { partitions: new Set<number>(), records: 0 };
  let soon = new AbortController();
  let lastAllMs = clock.monotonic();
  let deleted = 0;

  async function trim(isDue: (partition: number) => boolean, rest: () => Promise<void>): Promise<void> {
    const passed = await Promise.all(outputReaders.map((read) => read()));
    const heads = (await readSequences(database, consumer)).map((head, partition) => (isDue(partition) ? head : 0));
    deleted += await trimOutbox(database, outputLog, heads, { passed, keep: KEEP, keepMax: KEEP_MAX, rest });
    if (deleted < DELETED) return;
    await database.reuseSpace('outbox');
    deleted = 0;
  }

  return {
    note(partition, records) {
      written.partitions.add(partition);
      written.records += records;
      if (written.records >= RECORDS) soon.abort();
    },
    async run(signal) {
      const rest = async (): Promise<void> => {
        await clock.sleep(REST_MS, signal);
        signal.throwIfAborted();
      };
      while (!signal.aborted) {
        await clock.sleep(EVERY_MS, AbortSignal.any([signal, soon.signal]));
        if (signal.aborted) return;
        const isAll = clock.monotonic() - lastAllMs >= EVERY_MS;
        const { partitions } = written;
        written = { partitions: new Set(), records: 0 };
        soon = new AbortController();
        try {
          await trim((partition) => isAll || partitions.has(partition), rest);
          if (!isAll) continue;
          await forgetOldInputs(database, consumer, clock.now(), rest);
          lastAllMs = clock.monotonic();
        } catch (error) {
          if (!signal.aborted) logger.warn({ consumer, error }, 'old records could not be trimmed');
        }
      }
    },
  };
}
