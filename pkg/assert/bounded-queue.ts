/** A first-in first-out queue that holds at most `max` items and says so, instead of growing. */
export interface BoundedQueue<T> {
  /** False, and nothing added, when the queue is full. */
  offer(item: T): boolean;
  /** Up to `max` items from the front, in order; empty when there are none. */
  take(max: number): T[];
  readonly size: number;
  readonly full: boolean;
}

export function createBoundedQueue<T>(max: number): BoundedQueue<T> {
  let items: T[] = [];
  // Taken items stay in the array until half of it is gone: `shift` would move the rest each time.
  let head = 0;
  return {
    offer(item) {
      if (items.length - head >= max) return false;
      items.push(item);
      return true;
    },
    take(count) {
      const taken = items.slice(head, head + Math.max(0, count));
      head += taken.length;
      if (head * 2 >= items.length) {
        items = items.slice(head);
        head = 0;
      }
      return taken;
    },
    get size() {
      return items.length - head;
    },
    get full() {
      return items.length - head >= max;
    },
  };
}
