/** At most `permits` pieces of work at once and at most `waitingMax` in line: what is full pushes back. */

/** The line is full; the caller tells its client to come back later. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
}

export interface Semaphore {
  /** Runs `work` when a permit is free, first come first served. Rejects with `Overloaded` when too many wait already. */
  run<T>(work: () => Promise<T>): Promise<T>;
  running(): number;
  waiting(): number;
}

export function createSemaphore(options: { name: string; permits: number; waitingMax: number }): Semaphore {
  const line: (() => void)[] = [];
  let running = 0;

  async function acquire(): Promise<void> {
    if (running < options.permits) {
      running += 1;
      return;
    }
    if (line.length >= options.waitingMax) throw new Overloaded(`${options.name}: ${line.length} are waiting already`);
    // The permit is handed over by `release`, so `running` stays as it is.
    await new Promise<void>((resolve) => line.push(resolve));
  }

  function release(): void {
    const next = line.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return {
    async run(work) {
      await acquire();
      try {
        return await work();
      } finally {
        release();
      }
    },
    running: () => running,
    waiting: () => line.length,
  };
}
