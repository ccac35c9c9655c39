/**
 * How often servers that failed last time are tried, all of them together: a budget that failures use up, and that who answers uses nothing of. So what a thousand servers cost that have died at
 * once is bounded, and when it was this server that was cut off all of them are reached again as fast as they answer.
 */
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';

export interface TryLimits {
  readonly perSecond: number;
  /** Tries that are saved up while none are needed. */
  readonly burst: number;
}

/** Of one process. A try costs up to 2 ms of a core; as long as fewer than 14,000 servers are gone, each is tried as often as the longest pause of the back-off says. */
export const TRIES_DEFAULT: TryLimits = { perSecond: 4, burst: 50 };

/** What is left of the budget. */
export interface Purse {
  readonly tries: number;
  /** By the monotonic clock. */
  readonly atMs: number;
}

/** With what has come since, at `nowMs`. */
export function refilled({ tries, atMs }: Purse, { perSecond, burst }: TryLimits, nowMs: number): Purse {
  return { tries: Math.min(burst, tries + (Math.max(0, nowMs - atMs) * perSecond) / 1000), atMs: nowMs };
}

/** How long it is until there is a try, in ms; 0: there is one. */
export function msUntilTry({ tries }: Purse, { perSecond }: TryLimits): number {
  return tries >= 1 ? 0 : Math.ceil(((1 - tries) * 1000) / perSecond);
}

/**
 * Who is next, of those that wait, in the order of their coming: by turns who has waited longest, so that everybody's turn comes, and who has failed for the shortest time, so that one that
 * has just failed waits for none of the many that have been gone for long.
 */
export function chooseTry<Item>(waiting: Iterable<Item>, turn: number, failingSinceMs: (item: Item) => number): Item | undefined {
  let chosen: Item | undefined;
  for (const item of waiting) {
    if (turn % 2 === 0) return item;
    if (chosen === undefined || failingSinceMs(item) > failingSinceMs(chosen)) chosen = item;
  }
  return chosen;
}

export interface Tries<Item> {
  /** It is started when there is a try for it. */
  add(item: Item): void;
  /** It needs none any more. */
  remove(item: Item): void;
  /** A try that was taken came to no failure. */
  giveBack(): void;
  /** To be called when `hasRoom` may have changed. */
  go(): void;
}

export interface TriesOptions<Item> {
  readonly clock: Pick<Clock, 'monotonic' | 'timer'>;
  readonly limits: TryLimits;
  readonly failingSinceMs: (item: Item) => number;
  /** Whether there is a place for one more. */
  readonly hasRoom: () => boolean;
  readonly start: (item: Item) => void;
}

export function createTries<Item>({ clock, limits, failingSinceMs, hasRoom, start }: TriesOptions<Item>): Tries<Item> {
  const waiting = new Set<Item>();
  let purse: Purse = { tries: limits.burst, atMs: clock.monotonic() };
  let turn = 0;
  let timer: Timer | undefined;

  function go(): void {
    purse = refilled(purse, limits, clock.monotonic());
    while (waiting.size > 0 && msUntilTry(purse, limits) === 0 && hasRoom()) {
      const item = chooseTry(waiting, turn, failingSinceMs)!;
      turn += 1;
      waiting.delete(item);
      purse = { ...purse, tries: purse.tries - 1 };
      start(item);
    }
    const ms = msUntilTry(purse, limits);
    if (waiting.size === 0 || ms === 0 || timer !== undefined) return;
    timer = clock.timer(ms, () => {
      timer = undefined;
      go();
    });
  }

  return {
    add(item) {
      waiting.add(item);
      go();
    },
    remove: (item) => void waiting.delete(item),
    giveBack() {
      purse = { ...purse, tries: Math.min(limits.burst, purse.tries + 1) };
      go();
    },
    go,
  };
}
