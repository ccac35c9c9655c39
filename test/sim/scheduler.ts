/** Virtual time: events run one by one in order of time, then of planning, each after everything it set off has come to rest. */
export interface Planned {
  cancelled: boolean;
}

interface Event extends Planned {
  readonly at: number;
  readonly number: number;
  readonly label: string;
  readonly run: () => void;
}

export class Scheduler {
  now: number;
  steps = 0;
  #numbers = 0;
  readonly #heap: Event[] = [];
  readonly #trace: (atMs: number, label: string) => void;

  constructor(startMs: number, trace: (atMs: number, label: string) => void) {
    this.now = startMs;
    this.#trace = trace;
  }

  after(ms: number, label: string, run: () => void): Planned {
    const event: Event = { at: this.now + Math.max(0, ms), number: (this.#numbers += 1), label, run, cancelled: false };
    this.#push(event);
    return event;
  }

  /** Runs until `done()` or, after `limitMs` of virtual time, gives up and answers false. */
  async run(done: () => boolean, limitMs: number): Promise<boolean> {
    const endsAt = this.now + limitMs;
    for (;;) {
      // A macrotask boundary: every promise that can settle has settled.
      await new Promise((resolve) => setImmediate(resolve));
      if (done()) return true;
      const event = this.#pop();
      if (event === undefined) return false;
      if (event.at > endsAt) {
        // Its time comes in the next run.
        this.#push(event);
        return false;
      }
      if (event.cancelled) continue;
      this.now = event.at;
      this.steps += 1;
      this.#trace(event.at, event.label);
      event.run();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
