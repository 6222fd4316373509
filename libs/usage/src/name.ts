import { isCalendarDay, METRICS, parseKey } from './keys';
import { isKeyed, type Statistic } from './statistic';

/** What the name of a key (without the prefix in front) says that it is. */
export type Name =
  /** A counter; `total` is the same one for all time. */
  | { kind: 'counter'; total: string; day?: string }
  /** The identities of a day. */
  | { kind: 'seen'; day: string }
  /** The index of the organizations of a metric. */
  | { kind: 'organizations' }
  /** Nothing that these statistics write. */
  | { kind: 'other' };

const other: Name = { kind: 'other' };

/** Reads names of keys as these statistics write them. */
export function nameReader(statistics: readonly Statistic[]): (name: string) => Name {
  const keyed = statistics.some(isKeyed);
  return (name) => {
    if (!name.startsWith('weir:')) return keyed && parseKey(name) !== undefined ? counter(name) : other;
    if (name.startsWith('weir:seen:')) return seen(name.slice('weir:seen:'.length));
    const metric = /^weir:organizations:(.*)$/s.exec(name)?.[1];
    if (metric !== undefined)
      return (METRICS as readonly string[]).includes(metric) ? { kind: 'organizations' } : other;
    return other;
  };
}

function seen(day: string): Name {
  return isCalendarDay(day) ? { kind: 'seen', day } : other;
}

/** No dimension is called `d`, so what ends like this is the day (keys.ts). */
function counter(name: string): Name {
  const day = /\/d\/(\d{4}-\d\d-\d\d)$/.exec(name)?.[1];
  if (day === undefined) return { kind: 'counter', total: name };
  return { kind: 'counter', total: name.slice(0, -'/d/YYYY-MM-DD'.length), day };
}
