/**
 * A bound for V8's young generation. Node 24 lets it grow to 128 MB after any busy moment, and it shrinks only when nothing at all happens: on a server whose clients wait, that is a third of its memory. More than
 * this saves no CPU that could be measured. V8 reads its bound from the command line alone, but the factor of each growth whenever it grows.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Of the two halves together; what lives is copied from one into the other. It doubles, from 2 MB on. */
const BYTES_MAX = 32 * 1024 * 1024;

/** By which factor a young generation of so many bytes may grow next; 1: no more. */
export function youngGrowth(bytes: number): number {
  return bytes > BYTES_MAX / 2 ? 1 : 2;
}

/** Returns what is to be called after each collection. */
export function boundYoungGeneration(): () => void {
  let factor = 0;
  return () => {
    const wanted = youngGrowth(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0);
    if (wanted === factor) return;
    factor = wanted;
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
}
