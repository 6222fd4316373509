/** A bounded map for what can be made again: {@link createCache}. */
export interface Cache<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/**
 * A cache that forgets what was not used lately and holds at most `2 × size` entries.
 *
 * Two generations: when the young one is full it becomes the old one, and what is used again moves back. That is the
 * effect of least-recently-used at the price of one map look-up, which counts where an event costs a microsecond.
 */
export function createCache<Value>(size: number): Cache<Value> {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  const set = (key: string, value: Value): void => {
    if (young.size >= size) [old, young] = [young, new Map()];
    young.set(key, value);
  };
  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found;
      const kept = old.get(key);
      if (kept !== undefined) set(key, kept);
      return kept;
    },
    set,
  };
}
