/**
 * How many destinations are sent to at once. Those that failed last time have places of their own: however many servers never answer, they take none from those that do.
 */
export interface Lane<Item> {
  /** Runs `work(item)` when there is a place, in the order of coming. */
  add(item: Item): void;
  /** Forgets an item that waits; says whether it did. */
  remove(item: Item): boolean;
}

/** `work` never rejects. */
export function createLane<Item>(places: number, work: (item: Item) => Promise<void>): Lane<Item> {
  const waiting = new Set<Item>();
  let running = 0;

  function fill(): void {
    for (const item of waiting) {
      if (running >= places) return;
      waiting.delete(item);
      running += 1;
      void work(item).finally(() => {
        running -= 1;
        fill();
      });
    }
  }

  return {
    add(item) {
      waiting.add(item);
      fill();
    },
    remove: (item) => waiting.delete(item),
  };
}
