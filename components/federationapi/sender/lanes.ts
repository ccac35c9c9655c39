/**
 * How many destinations are sent to at once. Those that failed last time have places of their own, and one that takes long gives its place away while it goes on: however many
 * servers never answer, they keep none from being sent to that does.
 */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import { createYieldingPlaces, type PlacesLimits } from '../../../pkg/runtime/yielding-places.ts';

export interface Lane<Item> {
  /** Runs `work(item)` when there is a place, in the order of coming. */
  add(item: Item): void;
  /** Whether an item would be run at once. */
  hasRoom(): boolean;
}

/** Of destinations. */
export const LANES = {
  /** Servers that are silent since now, a thousand of them, pass within ten seconds. */
  healthy: { places: 100, slowMs: 1000, slowMax: 600 },
  /** Those that failed last time. */
  failing: { places: 100, slowMs: 10_000, slowMax: 100 },
  /** Those among them that have asked this server something. */
  called: { places: 50, slowMs: 10_000, slowMax: 50 },
} as const satisfies Record<string, PlacesLimits>;

/** `work` never rejects. `onRoom` is called whenever nobody waits for a place that has become free. */
export function createLane<Item>(clock: Pick<Clock, 'timer'>, limits: PlacesLimits, work: (item: Item) => Promise<void>, onRoom?: () => void): Lane<Item> {
  const waiting = new Set<Item>();
  const places = createYieldingPlaces({ clock, limits, onFree: refill });

  function fill(): void {
    for (const item of waiting) {
      if (!places.hasRoom()) return;
      waiting.delete(item);
      void run(item);
    }
  }

  function refill(): void {
    fill();
    if (places.hasRoom()) onRoom?.();
  }

  async function run(item: Item): Promise<void> {
    const leave = places.take();
    await work(item);
    leave();
  }

  return {
    add(item) {
      waiting.add(item);
      fill();
    },
    hasRoom: places.hasRoom,
  };
}
