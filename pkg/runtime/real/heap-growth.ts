/**
 * Room for garbage in a small heap. V8 collects the old generation of a heap of 40 MB when it has grown by a third, and under load that is three times a second: a third of the CPU of two instances of a role went into
 * it (docs/decisions/0013-room-for-garbage.md). With a fixed room beside what lives, a collection comes when it is worth it; large heaps have that room by V8's own rule.
 */
import { constants, PerformanceObserver, type NodeGCPerformanceDetail } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { boundYoungGeneration } from './young-generation.ts';

const ROOM_BYTES = 96 * 1024 * 1024;
/** Percent of what lives; below the least V8's own rule gives more. */
const PERCENT = { max: 200, min: 50 } as const;

/** By how many percent a heap in which `liveBytes` live may grow until it is collected; 0: as V8 thinks best. */
export function heapGrowth(liveBytes: number): number {
  const percent = Math.min(PERCENT.max, Math.round((ROOM_BYTES / liveBytes) * 100));
  return percent < PERCENT.min ? 0 : percent;
}

/** For the rest of this process, as what lives becomes more or less. To be called once, at its start. */
export function giveHeapRoom(): void {
  const boundYoung = boundYoungGeneration();
  let percent = -1;
  const set = (): void => {
    const wanted = heapGrowth(getHeapStatistics().used_heap_size);
    if (wanted === percent) return;
    percent = wanted;
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  set();
  boundYoung();
  new PerformanceObserver((list) => {
    boundYoung();
    if (list.getEntries().some((entry) => (entry as unknown as { detail: NodeGCPerformanceDetail }).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) set();
  }).observe({ entryTypes: ['gc'] });
}
