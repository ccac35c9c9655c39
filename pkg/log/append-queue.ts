/**
 * Appends on their way to a broker: one lane per partition of a log, in order, bounded in bytes. What waits in a lane while its last pack is under way
 * is merged into one pack of up to `PACK_BYTES_MAX`: at low load nothing waits, at high load packs grow.
 */
import type { Clock } from '../runtime/runtime.ts';
import { LogUnavailable, type LogName } from './log.ts';
import { PACK_BYTES_MAX, packRecords, packedBytes, splitIntoPacks } from './pack.ts';

export const QUEUE_BYTES_MAX = 32 * 1024 * 1024;

interface Waiting {
  readonly records: readonly Uint8Array[];
  readonly bytes: number;
  /** By the monotonic clock: after it the append is given up. */
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (reason: LogUnavailable) => void;
}

export interface Lane {
  readonly log: LogName;
  readonly partition: number;
  /** Set by the sender: a pack of this lane is under way. */
  busy: boolean;
  readonly waiting: Waiting[];
}

/** Merged appends of one lane; `settle` must be called exactly once. */
export interface Parcel {
  readonly lane: Lane;
  readonly payload: Uint8Array;
  readonly deadline: number;
  /** Without a reason: the broker has it. */
  settle(reason?: LogUnavailable): void;
}

export interface AppendQueue {
  /** Rejects with `LogUnavailable` when the queue is full, or from `settle`. */
  add(log: LogName, partition: number, records: readonly Uint8Array[]): Promise<void>;
  /** Lanes with something waiting and nothing under way. */
  readyLanes(): Lane[];
  /** The next parcel of the lane; the lane is busy until it is settled. */
  take(lane: Lane): Parcel | undefined;
  /** True while anything waits or is under way. */
  pending(): boolean;
  /** Rejects what waits and every later append. */
  close(reason: string): void;
}

export interface AppendQueueOptions {
  readonly clock: Clock;
  /** How long an append may wait for the broker. */
  readonly timeoutMs: number;
  readonly onWork: (lane: Lane) => void;
}

export function createAppendQueue({ clock, timeoutMs, onWork }: AppendQueueOptions): AppendQueue {
  const lanes = new Map<string, Lane>();
  const ready = new Set<Lane>();
  let bytes = 0;
  let underWay = 0;
  let closedReason: string | undefined;

  function laneOf(log: LogName, partition: number): Lane {
    const key = `${log}/${partition}`;
    let lane = lanes.get(key);
    if (!lane) lanes.set(key, (lane = { log, partition, busy: false, waiting: [] }));
    return lane;
  }

  function addPack(lane: Lane, records: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const size = packedBytes(records);
      lane.waiting.push({ records, bytes: size, deadline: clock.monotonic() + timeoutMs, resolve, reject });
      bytes += size;
    });
  }

  return {
    async add(log, partition, records) {
      if (closedReason) throw new LogUnavailable(closedReason);
      const packs = splitIntoPacks(records);
      if (bytes > 0 && bytes + packedBytes(records) > QUEUE_BYTES_MAX) throw new LogUnavailable('too many records wait for the broker');
      if (packs.length === 0) return;
      const lane = laneOf(log, partition);
      const done = packs.map((pack) => addPack(lane, pack));
      if (!lane.busy) {
        ready.add(lane);
        onWork(lane);
      }
      await Promise.all(done);
    },
    readyLanes: () => [...ready],
    take(lane) {
      ready.delete(lane);
      const parts = takeParts(lane.waiting);
      if (parts.length === 0) return undefined;
      lane.busy = true;
      underWay += 1;
      return {
        lane,
        payload: packRecords(parts.flatMap((part) => part.records)),
        deadline: parts[0]!.deadline,
        settle: (reason) => {
          underWay -= 1;
          lane.busy = false;
          for (const part of parts) {
            bytes -= part.bytes;
            if (reason) part.reject(reason);
            else part.resolve();
          }
          if (lane.waiting.length > 0) {
            ready.add(lane);
            onWork(lane);
          }
        },
      };
    },
    pending: () => underWay > 0 || ready.size > 0,
    close(reason) {
      closedReason = reason;
      for (const lane of lanes.values()) {
        for (const part of lane.waiting.splice(0)) part.reject(new LogUnavailable(reason));
      }
      ready.clear();
    },
  };
}

/** The broker may be away for so long while what was appended is written at the end, in ms. */
const AWAY_MS_MAX = 2000;
const DRAIN_STEP_MS = 5;

/** Waits until nothing is pending. Gives up when the broker takes nothing for 2 s in a row, and by itself no later than the last append's own time is over. */
export async function drainAppends(queue: Pick<AppendQueue, 'pending'>, takesRecords: () => boolean, clock: Clock): Promise<void> {
  let awayMs = 0;
  while (queue.pending() && awayMs < AWAY_MS_MAX) {
    await clock.sleep(DRAIN_STEP_MS);
    awayMs = takesRecords() ? 0 : awayMs + DRAIN_STEP_MS;
  }
}

function takeParts(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const part of waiting) {
    if (count > 0 && bytes + part.bytes > PACK_BYTES_MAX) break;
    bytes += part.bytes;
    count += 1;
  }
  return waiting.splice(0, count);
}
