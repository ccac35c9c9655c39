/**
 * What has been delivered and not yet processed, over all partitions that a consumer owns. A batch takes whole packs, from every partition that has
 * something: so one commit serves them all. A partition whose share is full holds its driver back.
 */
import type { Pack } from './log.ts';

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
  /** Takes what waits, up to `recordsMax` records (at least one pack), in arrival order. */
  take(recordsMax: number): Waiting[];
  /** Resolves when something waits or `signal` is aborted. */
  ready(signal: AbortSignal): Promise<void>;
  /** Ends a wait in `ready` although nothing waits. */
  nudge(): void;
  /** Throws away what waits of a partition. */
  drop(partition: number): void;
  size(): number;
}

export function createIntake(recordsPerPartitionMax: number): Intake {
  let waiting: Waiting[] = [];
  const counts = new Map<number, number>();
  const held = new Map<number, (() => void)[]>();
  let wake: (() => void) | undefined;

  function count(partition: number, by: number): void {
    const next = (counts.get(partition) ?? 0) + by;
    counts.set(partition, next);
    if (next < recordsPerPartitionMax) {
      const release = held.get(partition);
      held.delete(partition);
      release?.forEach((go) => go());
    }
  }

  function nudge(): void {
    wake?.();
    wake = undefined;
  }

  return {
    add(partition, packs) {
      for (const pack of packs) {
        waiting.push({ partition, pack });
        count(partition, pack.records.length);
      }
      nudge();
      if ((counts.get(partition) ?? 0) < recordsPerPartitionMax) return Promise.resolve();
      return new Promise((go) => held.set(partition, [...(held.get(partition) ?? []), go]));
    },
    putBack(packs) {
      for (const { partition, pack } of packs) count(partition, pack.records.length);
      waiting = [...packs, ...waiting];
      nudge();
    },
    take(recordsMax) {
      let records = 0;
      let packs = 0;
      while (packs < waiting.length && (packs === 0 || records + waiting[packs]!.pack.records.length <= recordsMax)) {
        records += waiting[packs]!.pack.records.length;
        packs += 1;
      }
      const taken = waiting.splice(0, packs);
      for (const { partition, pack } of taken) count(partition, -pack.records.length);
      return taken;
    },
    ready(signal) {
      if (waiting.length > 0 || signal.aborted) return Promise.resolve();
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
      count(partition, -(counts.get(partition) ?? 0));
    },
    size: () => waiting.length,
  };
}
