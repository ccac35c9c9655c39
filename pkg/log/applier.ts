/** What a component gives the output consumer (`output-consumer.ts`): how to apply records of an output log to its tables. */
import type { Transaction } from '../storage/database.ts';

export interface SequencedRecord<Output> {
  readonly partition: number;
  readonly sequence: number;
  readonly output: Output;
}

export interface Applier<Output> {
  /** Throws `PoisonRecord`. */
  decode(record: Uint8Array): Output;
  /** Reads that `apply` needs and that are better done outside the transaction. Optional. */
  load?(records: readonly SequencedRecord<Output>[]): Promise<void>;
  /**
   * Whether `apply` would write nothing for these records; asked after `load`. Then it is not called, and that they are through is saved a little later, with others: a reader to
   * which most records mean nothing costs no transactions. Optional.
   */
  isIdle?(records: readonly SequencedRecord<Output>[]): boolean;
  /**
   * Writes the effects of these records, in order and each exactly once; the position is saved in the same transaction. Says whom to wake
   * when it has committed: the rooms and users whose data changed.
   */
  apply(tx: Transaction, records: readonly SequencedRecord<Output>[]): Promise<{ rooms: string[]; users: string[] }>;
  /** Trace ID of the request that led to the record. Optional. */
  traceOf?(output: Output): string;
  /** Called after the commit with the same records, for caches in memory. Optional. */
  committed?(records: readonly SequencedRecord<Output>[]): void;
  /** Drops what is in memory of a partition (lease lost, commit failed). Optional. */
  forget?(partition: number): void;
}
