/** Counts by up to three words, added to a metric when that is read: a counter of many labels costs more with each. */
export interface Tally {
  add(first: string, second: string, third?: string): void;
  /** What has been counted since the last time. */
  take(each: (count: number, first: string, second: string, third: string) => void): void;
}

type Counts = Map<string, Map<string, Map<string, number>>>;

export function createTally(): Tally {
  let counts: Counts = new Map();
  return {
    add(first, second, third = '') {
      const byFirst = within(counts, first);
      const bySecond = within(byFirst, second);
      bySecond.set(third, (bySecond.get(third) ?? 0) + 1);
    },
    take(each) {
      const taken = counts;
      counts = new Map();
      for (const [first, byFirst] of taken)
        for (const [second, bySecond] of byFirst)
          for (const [third, count] of bySecond) each(count, first, second, third);
    },
  };
}

function within<Value>(map: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Map<string, Value>();
  map.set(key, made);
  return made;
}
