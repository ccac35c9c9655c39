/**
 * What has been delivered and not yet processed, over all partitions that a consumer owns. A batch takes whole packs, from every partition that has
 * something: so one commit serves them all. A partition whose share is full holds its driver back.
 */
import type { Pack } from './log.ts';

/** What a partition may hold before its driver is held back; what one batch may take. */
export interface IntakeLimits {
  readonly records: number;
  readonly bytes: number;
}

/** One pack of one partition, waiting. */
export interface Waiting {
  readonly partition: number;
  readonly pack: Pack;
}

export interface Intake {
  /** Resolves when the partition has room again: the driver's back-pressure. */
  add(partition: number, packs: readonly Pack[]): Promise<void>;
  /** Puts packs back in front, in order: a failed batch. */
  putBack(waiting: readonly Waiting[]): void;
  /** Takes what waits, up to `limits` (at least one pack), in arrival order. */
  take(limits: IntakeLimits): Waiting[];
  /** Resolves when so many records wait (default 1) or `signal` is aborted. One waits at a time. */
  ready(signal: AbortSignal, records?: number): Promise<void>;
  /** Ends a wait in `ready` although less waits. */
  nudge(): void;
  /** Throws away what waits of a partition. */
  drop(partition: number): void;
  size(): number;
}

export function createIntake(perPartition: IntakeLimits): Intake {
  let waiting: Waiting[] = [];
  const counts = new Map<number, { records: number; bytes: number }>();
  const held = new Map<number, (() => void)[]>();
  let records = 0;
  let wake: (() => void) | undefined;
  let wanted = 1;

  function isFull(partition: number): boolean {
    const count = counts.get(partition);
    return count !== undefined && (count.records >= perPartition.records || count.bytes >= perPartition.bytes);
  }

  /** `sign`: 1 when the pack comes, -1 when it goes. */
  function count({ partition, pack }: Waiting, sign: 1 | -1): void {
    const before = counts.get(partition) ?? { records: 0, bytes: 0 };
    counts.set(partition, { records: before.records + sign * pack.records.length, bytes: before.bytes + sign * bytesOf(pack) });
    records += sign * pack.records.length;
    if (!isFull(partition)) letGo(partition);
  }

  function letGo(partition: number): void {
    const release = held.get(partition);
    held.delete(partition);
    release?.forEach((go) => go());
  }

  function nudge(): void {
    wake?.();
    wake = undefined;
  }

  return {
    add(partition, packs) {
      for (const pack of packs) {
        const one = { partition, pack };
        waiting.push(one);
        count(one, 1);
      }
      if (records >= wanted) nudge();
      if (!isFull(partition)) return Promise.resolve();
      return new Promise((go) => held.set(partition, [...(held.get(partition) ?? []), go]));
    },
    putBack(packs) {
      for (const one of packs) count(one, 1);
      waiting = [...packs, ...waiting];
      nudge();
    },
    take(limits) {
      const taken = waiting.splice(0, packsWithin(waiting, limits));
      for (const one of taken) count(one, -1);
      return taken;
    },
    ready(signal, least = 1) {
      if (records >= least || signal.aborted) return Promise.resolve();
      wanted = least;
      return new Promise((go) => {
        wake = () => {
          signal.removeEventListener('abort', nudge);
          go();
        };
        signal.addEventListener('abort', nudge, { once: true });
      });
    },
    nudge,
    drop(partition) {
      waiting = waiting.filter((one) => one.partition !== partition);
      records -= counts.get(partition)?.records ?? 0;
      counts.delete(partition);
      letGo(partition);
    },
    size: () => waiting.length,
  };
}

function bytesOf(pack: Pack): number {
  return pack.records.reduce((bytes, record) => bytes + record.byteLength, 0);
}

/** How many of these packs, from the first on, stay within the limits; one at least. */
function packsWithin(waiting: readonly Waiting[], limits: IntakeLimits): number {
  let records = 0;
  let bytes = 0;
  const over = waiting.findIndex(({ pack }) => {
    records += pack.records.length;
    bytes += bytesOf(pack);
    return records > limits.records || bytes > limits.bytes;
  });
  return over < 0 ? waiting.length : Math.max(1, over);
}
