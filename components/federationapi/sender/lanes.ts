/**
 * How many destinations are sent to at once. Those that failed last time have places of their own, and one that takes long gives its place away while it goes on: however many
 * servers never answer, they keep none from being sent to that does.
 */
import type { Clock } from '../../../pkg/runtime/runtime.ts';

export interface Lane<Item> {
  /** Runs `work(item)` when there is a place, in the order of coming. */
  add(item: Item): void;
  /** Whether an item would be run at once. */
  hasRoom(): boolean;
}

export interface LaneLimits {
  readonly places: number;
  /** After this time an item gives its place away, as long as there are no more than `slowMax` such items. */
  readonly slowMs: number;
  readonly slowMax: number;
}

/** Of destinations. */
export const LANES = {
  /** Servers that are silent since now, a thousand of them, pass within ten seconds. */
  healthy: { places: 100, slowMs: 1000, slowMax: 600 },
  /** Those that failed last time. */
  failing: { places: 100, slowMs: 10_000, slowMax: 100 },
  /** Those among them that have asked this server something. */
  called: { places: 50, slowMs: 10_000, slowMax: 50 },
} as const satisfies Record<string, LaneLimits>;

/** `work` never rejects. `onRoom` is called whenever nobody waits for a place that has become free. */
export function createLane<Item>(clock: Pick<Clock, 'timer'>, limits: LaneLimits, work: (item: Item) => Promise<void>, onRoom?: () => void): Lane<Item> {
  const waiting = new Set<Item>();
  let running = 0;
  let slow = 0;

  function fill(): void {
    for (const item of waiting) {
      if (running >= limits.places) return;
      waiting.delete(item);
      void run(item);
    }
  }

  function refill(): void {
    fill();
    if (running < limits.places) onRoom?.();
  }

  async function run(item: Item): Promise<void> {
    let isSlow = false;
    running += 1;
    const timer = clock.timer(limits.slowMs, () => {
      if (slow >= limits.slowMax) return;
      isSlow = true;
      slow += 1;
      running -= 1;
      refill();
    });
    await work(item);
    timer.cancel();
    if (isSlow) slow -= 1;
    else running -= 1;
    refill();
  }

  return {
    add(item) {
      waiting.add(item);
      fill();
    },
    hasRoom: () => running < limits.places,
  };
}
