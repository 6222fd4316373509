import { createOrdered } from './ordered';

/** A map of bounded size that forgets what was not used for longest. */
export interface Lru<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  readonly size: number;
}

/**
 * Keeps entries that weigh at most `max` together, one each unless `weigh` says otherwise; with `ttlMs`, none for longer
 * than that after it was set. What weighs more than `max` alone is not kept.
 */
export function createLru<Value>(max: number, ttlMs = Infinity, weigh: (value: Value) => number = () => 1): Lru<Value> {
  const entries = createOrdered<string, { value: Value; until: number }>();
  const expires = ttlMs !== Infinity;
  let weight = 0;

  function remove(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    weight -= weigh(entry.value);
  }

  return {
    get(key) {
      const entry = entries.renew(key);
      if (entry === undefined) return undefined;
      if (expires && entry.until <= performance.now()) return void remove(key);
      return entry.value;
    },
    set(key, value) {
      const until = expires ? performance.now() + ttlMs : Infinity;
      const known = entries.renew(key);
      weight += weigh(value) - (known === undefined ? 0 : weigh(known.value));
      if (known === undefined) {
        entries.put(key, { value, until });
      } else {
        known.value = value;
        known.until = until;
      }
      while (weight > max) {
        const oldest = entries.shift();
        if (oldest === undefined) return;
        weight -= weigh(oldest.value.value);
      }
    },
    delete: remove,
    get size() {
      return entries.size;
    },
  };
}
