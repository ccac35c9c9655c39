/**
 * How far the shared read model is. Fed by the signals of the consumers that apply (in this process and in others) and, because signals may be lost, by a look into
 * the consumer's positions table.
 */
import type { OutputLogName } from './log.ts';
import type { Applied } from '../../schemas/log/envelope.ts';

export interface AppliedPositions {
  /** Resolves true once the read model holds `sequence` of the partition, false after `boundMs`. At once for sequence 0. */
  waitFor(log: OutputLogName, partition: number, sequence: number, boundMs: number): Promise<boolean>;
  /** Newest applied sequence per partition that this process knows of (never ahead of the tables). The same array until it advances. */
  vector(log: OutputLogName): readonly number[];
  /** Resolves when `vector` holds all that any process had applied before the call. Rejects with `StorageError`. */
  refresh(): Promise<void>;
  /** Calls `listener` after each advance that this process learns of, without rooms and users when it has missed some; the result unsubscribes. */
  onApplied(listener: (applied: Applied) => void): () => void;
  close(): Promise<void>;
}
