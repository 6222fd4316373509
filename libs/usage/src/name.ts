import { isCalendarDay, METRICS, parseKey } from './keys';
import type { Resolution } from './cube/keys';
import { isCube, isKeyed, type Statistic } from './statistic';

/** What the name of a key (without the prefix in front) says that it is. */
export type Name =
  /** A counter; `total` is the same one for all time. */
  | { kind: 'counter'; total: string; day?: string }
  /** The identities of a day. */
  | { kind: 'seen'; day: string }
  /** The index of the organizations of a metric. */
  | { kind: 'organizations' }
  /** An hour or a day of a cube; `series` is the name without it. */
  | { kind: 'bucket'; series: string; resolution: Resolution; day: string }
  /** A union of days of a cube, which readers make. */
  | { kind: 'block' }
  /** The times of the latest events of a group of a cube. */
  | { kind: 'latest' }
  /** Nothing that these statistics write. */
  | { kind: 'other' };

const other: Name = { kind: 'other' };

/** Reads names of keys as these statistics write them. */
export function nameReader(statistics: readonly Statistic[]): (name: string) => Name {
  const keyed = statistics.some(isKeyed);
  const cubes = cubeReader(statistics);
  return (name) => {
    if (!name.startsWith('weir:')) return keyed && parseKey(name) !== undefined ? counter(name) : other;
    if (name.startsWith('weir:seen:')) return seen(name.slice('weir:seen:'.length));
    const metric = /^weir:organizations:(.*)$/s.exec(name)?.[1];
    if (metric !== undefined)
      return (METRICS as readonly string[]).includes(metric) ? { kind: 'organizations' } : other;
    return cubes(name);
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

/** Reads names of what cubes are kept in (cube/keys.ts). */
function cubeReader(statistics: readonly Statistic[]): (name: string) => Name {
  const series = new Set<string>();
  const latest = new Set<string>();
  for (const cube of statistics.filter(isCube)) {
    for (const group of [[], ...cube.groups]) {
      for (const measure of Object.keys(cube.measures)) series.add(`${cube.name}:${measure}:${group.join('+')}`);
    }
    for (const group of cube.latest ?? []) latest.add(`${cube.name}:${group.join('+')}`);
  }
  return (name) => {
    const [, kind, statistic, ...rest] = name.split(':', 8);
    if (kind === 'cube-latest') return latest.has(`${statistic}:${rest.join(':')}`) ? { kind: 'latest' } : other;
    const [measure, group, ...last] = rest;
    const own = `${statistic}:${measure}:${group}`;
    const bucket = last.join(':');
    if (!series.has(own)) return other;
    if (kind === 'cube-block') return /^\d+:\d+$/.test(bucket) ? { kind: 'block' } : other;
    return kind === 'cube' ? bucketName(own, bucket) : other;
  };
}

function bucketName(series: string, bucket: string): Name {
  const [, day = '', hour] = /^(\d{4}-\d\d-\d\d)(T\d\d)?$/.exec(bucket) ?? [];
  if (!isCalendarDay(day)) return other;
  return { kind: 'bucket', series, resolution: hour === undefined ? 'day' : 'hour', day };
}
