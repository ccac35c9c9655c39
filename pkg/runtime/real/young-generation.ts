/**
 * How large V8's young generation becomes, and by how many threads it is collected. Node 24 lets it grow to 128 MB after any busy moment, and it shrinks only when nothing at all happens: on a server whose clients
 * wait, that is a third of its memory, and where cores are free, more than 32 MB saves no CPU that could be measured. V8 reads its bound from the command line alone, but the factor of each growth whenever it grows,
 * and whether threads help whenever it collects.
 *
 * Where cores are short, requests are under way for longer, and so more of them live when it is collected, and are copied: twice the room halves that. And helpers are no help there: they wait for a core, and the thread
 * that has one waits for them.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

const MB = 1024 * 1024;
/** Of the two halves together; what lives is copied from one into the other. It doubles, from 2 MB on. */
const BYTES_MAX = { usual: 32 * MB, short: 64 * MB } as const;

export interface YoungGeneration {
  /** By which factor it may grow next; 1: no more. */
  readonly growth: number;
  /** Whether other threads help. */
  readonly isParallel: boolean;
}

/** For a young generation of so many bytes, where cores are short or not. */
export function youngGeneration(bytes: number, coresAreShort: boolean): YoungGeneration {
  const bytesMax = coresAreShort ? BYTES_MAX.short : BYTES_MAX.usual;
  return { growth: bytes > bytesMax / 2 ? 1 : 2, isParallel: !coresAreShort };
}

/** Returns what is to be called after each collection. */
export function tuneYoungGeneration(): (coresAreShort: boolean) => void {
  let now: YoungGeneration = { growth: 0, isParallel: true };
  return (coresAreShort) => {
    const wanted = youngGeneration(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0, coresAreShort);
    if (wanted.growth !== now.growth) setFlagsFromString(`--semi-space-growth-factor=${wanted.growth}`);
    if (wanted.isParallel !== now.isParallel) setFlagsFromString(wanted.isParallel ? '--parallel-scavenge' : '--no-parallel-scavenge');
    now = wanted;
  };
}
