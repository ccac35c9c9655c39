/** How much of other servers' answers is held while they are read, over all of them. */

/** What one answer may hold without asking: nearly all answers are smaller. */
const SMALL_BYTES = 256 * 1024;

export interface AnswerRoom {
  enter(): AnswerPlace;
}

export interface AnswerPlace {
  /** So many more bytes are held. Resolves when more may be read: at once for small answers, while there is room, and for the one that was there first, so that one always goes on. Rejects with the signal's reason. */
  grow(bytes: number, signal: AbortSignal): Promise<void> | undefined;
  /** Nothing is held any more. */
  leave(): void;
}

export function createAnswerRoom(bytesMax: number): AnswerRoom {
  /** Those that hold much, the first first. */
  const big = new Set<object>();
  const waiting = new Set<() => void>();
  let held = 0;

  return {
    enter() {
      const self = {};
      let size = 0;
      const mayGoOn = (): boolean => size <= SMALL_BYTES || held <= bytesMax || big.values().next().value === self;
      return {
        grow(bytes, signal) {
          size += bytes;
          held += bytes;
          if (size > SMALL_BYTES) big.add(self);
          return mayGoOn() ? undefined : new Promise((resolve, reject) => {
            const end = (work: () => void): void => {
              waiting.delete(look);
              signal.removeEventListener('abort', giveUp);
              work();
            };
            const look = (): void => { if (mayGoOn()) end(resolve); };
            const giveUp = (): void => end(() => reject(signal.reason as Error));
            if (signal.aborted) return reject(signal.reason as Error);
            waiting.add(look);
            signal.addEventListener('abort', giveUp, { once: true });
          });
        },
        leave() {
          big.delete(self);
          held -= size;
          size = 0;
          for (const look of [...waiting]) look();
        },
      };
    },
  };
}
