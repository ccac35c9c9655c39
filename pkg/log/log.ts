/**
 * The log: what the components' records travel on. This page says what every driver guarantees; `test/conformance/log` checks it
 * on all of them. A broker is a transport: the owner's tables are the truth (see `input-runner.ts` and `outbox.ts`).
 *
 * **Logs and partitions.** A log has P partitions (`partition-map.ts`). Within a partition records have an order; across partitions
 * there is none.
 *
 * **Append.** `append` resolves when the driver has taken the records over: on disk or as durable as the broker's acks are. Records of one
 * call stay together and in order; two calls for one partition, the second after the first resolved, stay in order. A rejected or
 * timed-out append may still arrive, late and more than once: consumers deduplicate (input logs by input ID, output logs by
 * sequence number). Drivers may carry the records of one call as one broker entry (a *pack*).
 *
 * **Read.** `subscribe` delivers packs of one partition in offset order, from `from` on (0 = the oldest kept), each at least once. The next
 * delivery waits until the promise of the last one resolves: that is the back-pressure. A subscription survives restarts of the broker by itself;
 * while it cannot read, `health()` says so. An offset belongs to the driver and to the consumer's tables, and is shown to nobody else.
 *
 * **Output logs in the embedded driver** live in the producer's outbox: `append` hands the records to the live subscribers and stores
 * nothing; what came before a subscription is read from the outbox (`output-consumer.ts` does that for every driver alike).
 *
 * **Signals** are small, quick and may be lost: outcomes to a reply address, applied positions, typing. Nothing depends on their arrival.
 */

export type InputLogName = 'room-input' | 'user-input';
export type OutputLogName = 'room-output' | 'user-output';
export type LogName = InputLogName | OutputLogName;

/** The biggest record that every driver takes, in bytes. */
export const RECORD_BYTES_MAX = 512 * 1024;

/** The records of one append that stand at one offset; consumed whole or not at all. */
export interface Pack {
  readonly offset: number;
  readonly records: readonly Uint8Array[];
  /** Kept in memory only (`durable: false` on the embedded driver): whoever appended it waits, so it may be refused when it cannot be stored. */
  readonly volatile?: boolean;
}

export interface Subscription {
  /** No delivery starts after this resolves. */
  close(): Promise<void>;
}

export interface AppendOptions {
  /**
   * `false`: the caller waits for the outcome anyway, so the record may be lost with the process (embedded keeps it in memory only; its
   * answer follows the commit). Brokers store it all the same. Default true.
   */
  readonly durable?: boolean;
}

export interface LogDriver {
  readonly name: 'embedded' | 'nats' | 'kafka' | 'simulated';
  /** Names this broker's data: positions kept under another transport id are not valid here (reading starts from the oldest kept). */
  readonly transportId: string;
  append(log: LogName, partition: number, records: readonly Uint8Array[], options?: AppendOptions): Promise<void>;
  subscribe(log: LogName, partition: number, from: number, deliver: (packs: readonly Pack[]) => Promise<void>): Promise<Subscription>;
  /** The offset after the newest record: where a reader starts that wants only what is to come. */
  head(log: LogName, partition: number): Promise<number>;
  /** Sends `value` to all present listeners of `channel`, in every process. Does not wait; may be lost. */
  signal(channel: string, value: Uint8Array): void;
  listen(channel: string, receive: (value: Uint8Array) => void): Promise<Subscription>;
  /** One sentence when the driver cannot serve now; undefined when well. */
  health(): string | undefined;
  /** Flushes what is under way and disconnects. */
  close(): Promise<void>;
}

/** The driver cannot take records now (broker gone, queue full); the caller backs off and tries again. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
}

/** A record that can never be processed: it goes to the dead letters and its partition goes on. */
export class PoisonRecord extends Error {
  override readonly name = 'PoisonRecord';
}
