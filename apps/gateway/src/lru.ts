/** A map of bounded size that forgets what was not used for long. */
export interface Lru<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  readonly size: number;
}

/**
 * Keeps entries that weigh at most `max` together, one each unless `weigh` says otherwise. What weighs more than half of
 * that alone is not kept.
 *
 * There are two generations. What is set or used belongs to the newer one; when that has half of `max`, it becomes the
 * older, and what the older still had is forgotten. So the half that was used last is always there, and no list of
 * the order of use has to be kept, whose parts would be moved with each use and be garbage that has grown old.
 */
export function createLru<Value>(max: number, weigh: (value: Value) => number = () => 1): Lru<Value> {
  const half = max / 2;
  let newer = new Map<string, Value>();
  let older = new Map<string, Value>();
  /** Of the newer one. */
  let weight = 0;

  function put(key: string, value: Value): void {
    const more = weigh(value);
    if (weight + more > half) {
      older = newer;
      newer = new Map();
      weight = 0;
    }
    newer.set(key, value);
    weight += more;
  }

  function remove(key: string): void {
    const known = newer.get(key);
    if (known !== undefined) weight -= weigh(known);
    newer.delete(key);
    older.delete(key);
  }

  return {
    get(key) {
      const known = newer.get(key);
      if (known !== undefined) return known;
      const value = older.get(key);
      if (value === undefined) return undefined;
      older.delete(key);
      put(key, value);
      return value;
    },
    set(key, value) {
      remove(key);
      if (weigh(value) <= half) put(key, value);
    },
    delete: remove,
    get size() {
      return newer.size + older.size;
    },
  };
}

/** {@link createLru} of entries that are kept for `ttlMs` after they were set, and no longer. */
export function createExpiring<Value>(max: number, ttlMs: number): Lru<Value> {
  const entries = createLru<{ value: Value; until: number }>(max);
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry !== undefined && entry.until > performance.now()) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set: (key, value) => entries.set(key, { value, until: performance.now() + ttlMs }),
    delete: entries.delete,
    get size() {
      return entries.size;
    },
  };
}
