/** What the sender knows of a destination for which something waits, or did until a moment ago. */
import type { Backoff } from '../../../pkg/federation/backoff.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { Timer } from '../../../pkg/runtime/runtime.ts';
import type { Waiting } from '../storage/destination-queue.ts';
import type { WaitingUnits } from './ephemeral.ts';
import { TRANSACTION_PDUS_MAX } from './transaction.ts';

/** What waits for a destination. */
export interface Counts {
  readonly events: Waiting;
  readonly units: Waiting;
  readonly rooms: Waiting;
}

export interface Destination {
  readonly name: string;
  readonly partition: number;
  /** Ends the request under way: the destination is another instance's from now on. */
  readonly abort: AbortController;
  backoff: Backoff | undefined;
  /** It fails, and has asked this server something since: it may well be there again. */
  hasCalled: boolean;
  /** Events of the next transaction at most. */
  limit: number;
  /** The partition of room-output that comes first in the next transaction. */
  fromPartition: number;
  /** Ends with the turn under way; undefined between turns. */
  running: Promise<void> | undefined;
  /** More was queued while a turn was under way. */
  again: boolean;
  /** Goes with the next transaction, or never. */
  readonly units: WaitingUnits;
  /** All that was queued is sent. */
  isIdle: boolean;
  /** Ends its pause. */
  timer: Timer | undefined;
  /** Wall-clock time at which `timer` ends it. */
  timerAt: number;
  /** It has rooms to catch up with, as far as is known here. */
  hasMarks: boolean;
  /** Marks were taken up and are not sent yet: as long as that is so more is queued of their rooms. */
  isResolving: boolean;
  /** What waits for it, as counted last. */
  counts: Counts;
  /** More or less waits than was counted. */
  isDirty: boolean;
}

const NOTHING: Waiting = { count: 0, sinceMs: undefined };

export function newDestination(name: string, partition: number, known: { readonly backoff: Backoff | undefined; readonly units: WaitingUnits; readonly hasMarks: boolean }): Destination {
  return { name, partition, abort: new AbortController(), ...known, hasCalled: false, limit: TRANSACTION_PDUS_MAX, fromPartition: 0, running: undefined, again: false, isIdle: false, timer: undefined, timerAt: 0, isResolving: false, isDirty: true, counts: { events: NOTHING, units: NOTHING, rooms: NOTHING } };
}

/** Whose owner sends to the server. */
export function destinationPartition(serverName: string, partitions: number): number {
  return partitionOf({ version: 1, partitions }, serverName);
}
