/** How much of other servers' answers is held while they are read, over all of them. */
import type { Clock, Timer } from '../../runtime/runtime.ts';

/** What one answer may hold without asking: nearly all answers are smaller. */
const SMALL_BYTES = 256 * 1024;
/** Whoever holds up others by being slower than this is given up. */
const LEAST = { bytesPerSecond: 1024 * 1024, overMs: 5000 };

export interface AnswerRoom {
  /** `cut`: called, once at most, when the answer comes too slowly while others wait for the room that it takes. */
  enter(cut: () => void): AnswerPlace;
}

export interface AnswerPlace {
  /** So many more bytes are held. Resolves when more may be read: at once for small answers, while there is room, and for the one that was there first, so that one always goes on. Rejects with the signal's reason. */
  grow(bytes: number, signal: AbortSignal): Promise<void> | undefined;
  /** Nothing is held any more. */
  leave(): void;
}

/** One that holds much. */
interface Big {
  readonly cut: () => void;
  size: number;
  /** What it held at the last look. */
  seen: number;
  isWaiting: boolean;
}

export function createAnswerRoom(bytesMax: number, clock: Pick<Clock, 'timer'>): AnswerRoom {
  /** The first first. */
  const big = new Set<Big>();
  const waiting = new Set<() => void>();
  let held = 0;
  let timer: Timer | undefined;

  /** While somebody waits, those who do not are looked at now and then. */
  function watch(): void {
    if (timer !== undefined || waiting.size === 0) return;
    for (const one of big) one.seen = one.isWaiting ? Number.NEGATIVE_INFINITY : one.size;
    timer = clock.timer(LEAST.overMs, () => {
      timer = undefined;
      if (waiting.size === 0) return;
      const slow = [...big].filter(({ isWaiting, size, seen }) => !isWaiting && size - seen < (LEAST.bytesPerSecond * LEAST.overMs) / 1000);
      for (const one of slow) one.cut();
      watch();
    });
  }

  return {
    enter(cut) {
      const self: Big = { cut, size: 0, seen: Number.NEGATIVE_INFINITY, isWaiting: false };
      const mayGoOn = (): boolean => self.size <= SMALL_BYTES || held <= bytesMax || big.values().next().value === self;
      return {
        grow(bytes, signal) {
          self.size += bytes;
          held += bytes;
          if (self.size > SMALL_BYTES) big.add(self);
          return mayGoOn() ? undefined : new Promise((resolve, reject) => {
            const end = (work: () => void): void => {
              self.isWaiting = false;
              waiting.delete(look);
              signal.removeEventListener('abort', giveUp);
              work();
            };
            const look = (): void => { if (mayGoOn()) end(resolve); };
            const giveUp = (): void => end(() => reject(signal.reason as Error));
            if (signal.aborted) return reject(signal.reason as Error);
            self.isWaiting = true;
            self.seen = Number.NEGATIVE_INFINITY;
            waiting.add(look);
            signal.addEventListener('abort', giveUp, { once: true });
            watch();
          });
        },
        leave() {
          big.delete(self);
          held -= self.size;
          self.size = 0;
          for (const look of [...waiting]) look();
        },
      };
    },
  };
}
