/** Reading an output log from its producer's tables: the truth that brokers only carry. Over the shared database, read-only. */
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';

export interface OutboxReader {
  /** Up to `limit` envelopes of the partition with sequence > `after`, in order. `trimmedTo`: newest sequence that is no longer kept; if it is above `after`, go by a snapshot. */
  read(partition: number, after: number, limit: number): Promise<{ envelopes: OutputEnvelope[]; trimmedTo: number }>;
  /** Newest committed sequence number of every partition, by partition. */
  heads(): Promise<number[]>;
}
