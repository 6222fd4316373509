/** A map of bounded size that forgets what was not used for longest. */
export interface Lru<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  readonly size: number;
}

/** Keeps at most `max` entries; with `ttlMs`, none for longer than that after it was set. */
export function createLru<Value>(max: number, ttlMs = Infinity): Lru<Value> {
  // A Map iterates in the order of insertion: the first key is the one not used for longest.
  const entries = new Map<string, { value: Value; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (entry.until <= performance.now()) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, { value, until: performance.now() + ttlMs });
      if (entries.size > max) entries.delete(entries.keys().next().value ?? '');
    },
    delete(key) {
      entries.delete(key);
    },
    get size() {
      return entries.size;
    },
  };
}
