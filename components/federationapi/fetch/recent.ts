/** A map that forgets what was not used for longest when it weighs too much. */
export interface Recent<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
}

/** `weightMax`: of all values together; a value weighs 1 unless `weigh` says otherwise. */
export function createRecent<Value>(weightMax: number, weigh: (value: Value) => number = () => 1): Recent<Value> {
  const values = new Map<string, Value>();
  let weight = 0;
  function remove(key: string): void {
    const value = values.get(key);
    if (value !== undefined) weight -= weigh(value);
    values.delete(key);
  }
  return {
    get(key) {
      const value = values.get(key);
      if (value === undefined) return undefined;
      values.delete(key);
      values.set(key, value);
      return value;
    },
    set(key, value) {
      remove(key);
      values.set(key, value);
      weight += weigh(value);
      for (const oldest of values.keys()) {
        if (weight <= weightMax) break;
        remove(oldest);
      }
    },
    delete: remove,
  };
}
