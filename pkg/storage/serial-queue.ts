/** Runs pieces of asynchronous work one at a time, in the order in which they came. */
export interface SerialQueue {
  /** Resolves or rejects as `work` does. Work that waits for other work of the same queue waits for ever. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createSerialQueue(): SerialQueue {
  let tail: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const result = tail.then(work);
      tail = result.then(ignore, ignore);
      return result;
    },
  };
}

function ignore(): void {
  // The caller of `run` has the result; the queue only needs its end.
}
