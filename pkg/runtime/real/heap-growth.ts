/**
 * Room for garbage in a small heap. V8 collects the old generation of a heap of 40 MB when it has grown by a third, and under load that is three times a second: a third of the CPU of two instances of a role went into
 * it (docs/decisions/0013-room-for-garbage.md). With a fixed room beside what lives, a collection comes when it is worth it.
 */
import { constants, PerformanceObserver, type NodeGCPerformanceDetail } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { watchCores } from '../core-watch.ts';
import { createClock } from './clock.ts';
import { tuneYoungGeneration } from './young-generation.ts';

const MB = 1024 * 1024;
const ROOM_MB = 64;
/** Of what lives. By V8's own rule a large heap grows to a multiple, and what it once had is given back late or never: 10,000 long polls, with 150 MB that lived, took 600. */
const PERCENT = { max: 150, min: 25 } as const;

/** By how many percent a heap in which `liveBytes` live may grow until it is collected: by `ROOM_MB`, and the larger ones by less and less. */
export function heapGrowth(liveBytes: number): number {
  const liveMb = liveBytes / MB;
  const percent = liveMb < ROOM_MB ? (100 * ROOM_MB) / liveMb : 100 - (liveMb - ROOM_MB);
  return Math.round(Math.min(PERCENT.max, Math.max(PERCENT.min, percent)));
}

/** For the rest of this process, as what lives becomes more or less. To be called once, when it has started: while modules load nothing needs the room. */
export function giveHeapRoom(): void {
  const cores = watchCores(createClock());
  const tuneYoung = tuneYoungGeneration();
  let percent = -1;
  const set = (): void => {
    const wanted = heapGrowth(getHeapStatistics().used_heap_size);
    if (wanted === percent) return;
    percent = wanted;
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  set();
  tuneYoung(cores.areShort());
  new PerformanceObserver((list) => {
    tuneYoung(cores.areShort());
    if (list.getEntries().some((entry) => (entry as unknown as { detail: NodeGCPerformanceDetail }).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) set();
  }).observe({ entryTypes: ['gc'] });
}
