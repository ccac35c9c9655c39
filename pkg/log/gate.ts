/** Something to wait for that others open again and again: each `open` lets all present waiters go on. */
export interface Gate {
  wait(): Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let waiters: (() => void)[] = [];
  return {
    wait: () => new Promise((resolve) => waiters.push(resolve)),
    open: () => {
      const present = waiters;
      waiters = [];
      for (const resolve of present) resolve();
    },
  };
}
