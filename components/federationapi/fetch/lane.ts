/**
 * Work for others, so many pieces at once: who takes long gives its place away while it goes on, so that whoever never answers holds up nobody else; and of one key (a server, a neighbourhood of
 * servers) there are few at once.
 */
import { Overloaded } from '../../../pkg/assert/semaphore.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import { createYieldingPlaces, type PlacesLimits } from '../../../pkg/runtime/yielding-places.ts';

export interface Lane {
  /** Runs `work` when it is its turn: first those of whose key the fewest are under way, and of these who came first. Rejects with `Overloaded` when too many wait already. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export interface LaneLimits extends PlacesLimits {
  /** At once of one key, slow ones included. */
  readonly ofKey: number;
  /** In line, of one key and of all. */
  readonly waitingOfKey: number;
  readonly waiting: number;
}

interface Waiting {
  readonly key: string;
  readonly begin: () => void;
}

/** `name`: of what it is, for errors. */
export function createLane({ name, clock, limits }: { readonly name: string; readonly clock: Pick<Clock, 'timer'>; readonly limits: LaneLimits }): Lane {
  const line = new Set<Waiting>();
  const running = new Map<string, number>();
  const places = createYieldingPlaces({ clock, limits, onFree: fill });

  const ofKey = (key: string): number => running.get(key) ?? 0;
  const mayRun = (key: string): boolean => places.hasRoom() && ofKey(key) < limits.ofKey;

  function fill(): void {
    for (let next = first(); next !== undefined && mayRun(next.key); next = first()) {
      line.delete(next);
      next.begin();
    }
  }

  /** Of the key of which the fewest are under way; of these the one that came first. */
  function first(): Waiting | undefined {
    let least: Waiting | undefined;
    for (const one of line) {
      if (least === undefined || ofKey(one.key) < ofKey(least.key)) least = one;
      if (ofKey(least.key) === 0) break;
    }
    return least;
  }

  function enter(key: string): () => void {
    const leave = places.take();
    running.set(key, ofKey(key) + 1);
    return () => {
      const left = ofKey(key) - 1;
      if (left === 0) running.delete(key);
      else running.set(key, left);
      leave();
    };
  }

  function wait(key: string): Promise<() => void> {
    const inLine = [...line].filter((one) => one.key === key).length;
    if (line.size >= limits.waiting || inLine >= limits.waitingOfKey) return Promise.reject(new Overloaded(`${name}: ${line.size} are waiting already`));
    return new Promise((resolve) => line.add({ key, begin: () => resolve(enter(key)) }));
  }

  return {
    async run(key, work) {
      const leave = mayRun(key) ? enter(key) : await wait(key);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
