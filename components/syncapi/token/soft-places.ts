/** Places in what is kept in memory only (typing, presence): a later epoch counts from the beginning. */
import type { SoftPlace } from './sync-token.ts';

export function isLater(a: Pick<SoftPlace, 'epoch' | 'counter'>, b: Pick<SoftPlace, 'epoch' | 'counter'>): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.counter > b.counter);
}

/** The later place of each partition, in order; `known`, which is in order, itself where none of `seen` is later. */
export function laterPlaces(known: readonly SoftPlace[], seen: readonly SoftPlace[]): readonly SoftPlace[] {
  const places = new Map(known.map((place) => [place.partition, place]));
  let isAhead = false;
  for (const place of seen) {
    const one = places.get(place.partition);
    if (one !== undefined && !isLater(place, one)) continue;
    places.set(place.partition, place);
    isAhead = true;
  }
  return isAhead ? [...places.values()].sort((a, b) => a.partition - b.partition) : known;
}

/** Whether who has seen `seen` has seen all of `known`. */
export function hasSeenAll(known: readonly SoftPlace[], seen: readonly SoftPlace[]): boolean {
  return laterPlaces(seen, known) === seen;
}
