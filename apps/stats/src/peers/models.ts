import type { Description, Question } from '@weir/usage';

type Interval = NonNullable<Question['interval']>;

/** Numbers that statscache would have kept in one table: one measure, by one group of dimensions, at one resolution. */
export interface Model {
  ident: string;
  statistic: Description;
  measure: string;
  /** What the column of the numbers is called. */
  column: string;
  by: readonly string[];
  interval: Interval;
  /** Length of the interval. */
  seconds: number;
}

const RESOLUTIONS: readonly (readonly [Interval, number])[] = [
  ['hour', 3600],
  ['day', 86_400],
  ['7d', 7 * 86_400],
  ['30d', 30 * 86_400],
];

/**
 * All that cubes keep, as models by their idents, such as `volume-by-category-1d`. Of two with one ident there is the
 * first.
 */
export function modelsOf(descriptions: readonly Description[]): ReadonlyMap<string, Model> {
  const models = new Map<string, Model>();
  for (const statistic of descriptions) {
    const measures = Object.keys(statistic.measures);
    for (const measure of measures) {
      // The only measure, and the one that the statistic is named after, need no name of their own.
      const own = measures.length > 1 && measure !== statistic.name;
      const name = own ? `${statistic.name} ${measure}` : statistic.name;
      for (const by of [[], ...statistic.groups.filter((group) => group.length > 0)]) {
        for (const [interval, seconds] of RESOLUTIONS) {
          const ident = identOf(by.length === 0 ? name : `${name}, by ${by.join(' and ')}`, seconds);
          const column = own ? measure : statistic.name;
          if (!models.has(ident)) models.set(ident, { ident, statistic, measure, column, by, interval, seconds });
        }
      }
    }
  }
  return models;
}

/** The peer's way to call a table: `volume, by category` at 60 s is `volume-by-category-1m` (reference usage-metrics 3.1). */
export function identOf(name: string, seconds: number): string {
  const plain = name
    .toLowerCase()
    .replace(/ /g, '-')
    .replace(/["'()*&?,]/g, '');
  return `${plain}-${scheduleOf(seconds)}`;
}

/** `1d12h`, `1m30s`, `0s`: parts that are 0 are left out (reference usage-metrics 3.2). */
export function scheduleOf(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const text = parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
  return text === '' ? '0s' : text;
}
