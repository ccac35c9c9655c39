/** A map that forgets what was not used for longest when all weigh too much. */
export interface Recent<Value> {
  /** Counts as a use. */
  get(key: string): Value | undefined;
  /** What weighs more than all together may is not kept, and drives out nothing. */
  set(key: string, value: Value): void;
  delete(key: string): void;
  clear(): void;
  /** Of all values together. */
  weight(): number;
}

export interface RecentOptions<Value> {
  /** Of a value when it is set; 1 unless said otherwise. */
  readonly weigh?: (value: Value) => number;
  /** For what thousands ask for at once: what is used stays where it is until half of the weight that all may have has come after it. */
  readonly lazy?: boolean;
}

interface Entry<Value> {
  readonly value: Value;
  readonly weight: number;
  /** What had come to the end by then, itself included. */
  cameAt: number;
}

export function createRecent<Value>(weightMax: number, { weigh, lazy = false }: RecentOptions<Value> = {}): Recent<Value> {
  // A Map keeps the order of insertion, so the first is what was not used for longest.
  const entries = new Map<string, Entry<Value>>();
  const unmoved = lazy ? weightMax / 2 : 0;
  /** Of what is here, and of all that ever came to the end. */
  let [weight, came] = [0, 0];
  function remove(key: string): void {
    const entry = entries.get(key);
    if (entry !== undefined && entries.delete(key)) weight -= entry.weight;
  }
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry !== undefined && came - entry.cameAt > unmoved) {
        entries.delete(key);
        entries.set(key, entry);
        entry.cameAt = came += entry.weight;
      }
      return entry?.value;
    },
    set(key, value) {
      remove(key);
      const own = weigh === undefined ? 1 : weigh(value);
      if (own > weightMax) return;
      entries.set(key, { value, weight: own, cameAt: (came += own) });
      weight += own;
      for (const oldest of entries.keys()) {
        if (weight <= weightMax) break;
        remove(oldest);
      }
    },
    delete: remove,
    clear() {
      entries.clear();
      weight = 0;
    },
    weight: () => weight,
  };
}
