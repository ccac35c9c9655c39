/** What `myelin status` says: who owns which partitions, and how far every consumer is. Times in ms since 1970. */

export interface Status {
  readonly serverName: string;
  /** Who looked: a running server, or the command itself, in the tables. */
  readonly source: 'server' | 'database';
  readonly atMs: number;
  readonly healthy: boolean;
  /** One sentence for each thing that is wrong. */
  readonly problems: readonly string[];
  readonly consumers: readonly ConsumerStatus[];
  readonly instances: readonly InstanceStatus[];
  /** Rooms that were joined without their members, which are being fetched. */
  readonly roomsCompleting: number;
  /** Other servers that could not be reached when they were last tried: no reason to be unhealthy. */
  readonly failingServers: FailingServers;
}

export interface FailingServers {
  readonly count: number;
  /** The first of them, those that began to fail last; `nextTryMs` in the past: as soon as there is something to send. */
  readonly newest: readonly { readonly name: string; readonly failures: number; readonly sinceMs: number; readonly nextTryMs: number }[];
}

export interface ConsumerStatus {
  readonly name: string;
  readonly partitions: number;
  readonly owners: readonly OwnerStatus[];
  /** Partitions that nobody alive owns. */
  readonly unowned: number;
  /**
   * What waits for the consumer: records of a reader, packs of inputs in the broker of an owner. null: cannot be known (an owner on the embedded log, or
   * when only the tables were asked).
   */
  readonly lag: number | null;
  readonly parked: number;
  readonly deadLetters: number;
  /** Output records that are kept; null for a reader, which has no output. */
  readonly outbox: number | null;
}

export interface OwnerStatus {
  readonly instance: string;
  readonly alive: boolean;
  readonly partitions: number;
  readonly epochMin: number;
  readonly epochMax: number;
  /** When the first of its leases runs out; null with the embedded log, whose only process has them as long as it lives. */
  readonly expiresAtMs: number | null;
}

export interface InstanceStatus {
  readonly instance: string;
  readonly consumer: string;
  readonly alive: boolean;
  readonly expiresAtMs: number | null;
}
