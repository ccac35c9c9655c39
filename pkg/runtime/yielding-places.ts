/** Places for work on behalf of others: who takes long gives its place away while it goes on, so that whoever never answers holds up nobody else. */
import type { Clock } from './runtime.ts';

export interface PlacesLimits {
  /** At once, of those that are not slow. */
  readonly places: number;
  /** Who takes longer than this (ms) gives its place away, as long as there are no more than `slowMax` of them. */
  readonly slowMs: number;
  readonly slowMax: number;
}

export interface YieldingPlaces {
  hasRoom(): boolean;
  /** Takes a place; whoever asks has looked whether there is one. What it returns leaves it, and is called once. */
  take(): () => void;
}

/** `onFree` is called whenever a place is given away or left. */
export function createYieldingPlaces({ clock, limits, onFree }: { readonly clock: Pick<Clock, 'timer'>; readonly limits: PlacesLimits; readonly onFree: () => void }): YieldingPlaces {
  let [fast, slow] = [0, 0];
  return {
    hasRoom: () => fast < limits.places,
    take() {
      let isSlow = false;
      fast += 1;
      const timer = clock.timer(limits.slowMs, () => {
        if (slow >= limits.slowMax) return;
        isSlow = true;
        slow += 1;
        fast -= 1;
        onFree();
      });
      return () => {
        timer.cancel();
        if (isSlow) slow -= 1;
        else fast -= 1;
        onFree();
      };
    },
  };
}
