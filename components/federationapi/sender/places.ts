/** When a destination that is due has its turn: at once if there is a place, and one that failed last time when there is a try for it too. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Destination } from './destination.ts';
import { createLane, LANES, type Lane } from './lanes.ts';
import { createTries, TRIES_DEFAULT, type Tries } from './tries.ts';

export interface Places {
  /** Its pause is over, or it has none. */
  add(destination: Destination): void;
}

/** `work` never rejects. */
export function createPlaces(clock: Pick<Clock, 'monotonic' | 'timer'>, work: (destination: Destination) => Promise<void>): Places {
  const healthy = createLane(clock, LANES.healthy, work);
  const called = createLane(clock, LANES.called, work);
  const failing: Lane<Destination> = createLane(clock, LANES.failing, async (destination: Destination) => {
    const before = destination.backoff?.failures ?? 0;
    await work(destination);
    if ((destination.backoff?.failures ?? 0) <= before) tries.giveBack();
  }, () => tries.go());
  const tries: Tries<Destination> = createTries({
    clock, limits: TRIES_DEFAULT, failingSinceMs: ({ backoff }) => backoff?.failingSinceMs ?? 0, hasRoom: () => failing.hasRoom(), start: (destination) => failing.add(destination),
  });
  return {
    add(destination) {
      if (destination.backoff !== undefined && !destination.hasCalled) {
        tries.add(destination);
        return;
      }
      tries.remove(destination);
      (destination.backoff === undefined ? healthy : called).add(destination);
    },
  };
}
