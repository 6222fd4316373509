import type { Series } from './keys';

/** What can be asked of the cubes, and what is answered: the words that the API, the page and the command line share. */

/** A question that has been checked against the description of its statistic. */
export interface Question {
  statistic: string;
  measure: string;
  /** Unix time in milliseconds, half-open: from ≤ time < to. */
  from: number;
  to: number;
  /** One row for each interval; absent: one for the whole range. */
  interval?: Interval;
  /** One row for each combination of values of these dimensions; empty: for all together. */
  by: readonly string[];
  /** Dimension → the value that it must have; null: those whose value is not known. */
  filters: Readonly<Record<string, string | null>>;
  /** Only the largest so many combinations, over the whole range; the others are summed up as `rest`. */
  top?: number;
  /** Only these days of the week in UTC, 0 for Sunday. */
  weekdays?: readonly number[];
  /** Rows of intervals without anything, as 0; otherwise they are left out. */
  fill: boolean;
}

/** `hour`, `day`; the epoch-aligned 7 and 30 days of seed 002; weeks from Monday, months and years of the UTC calendar. */
export const INTERVALS = ['hour', 'day', 'week', 'month', 'year', '7d', '30d'] as const;
export type Interval = (typeof INTERVALS)[number];

export interface Answer {
  /** The range that was counted: what was asked for, widened to whole hours or days. */
  from: number;
  to: number;
  resolution: 'hour' | 'day';
  /** All that the filters and the range leave, named or not. */
  total: number;
  /** How much of the total has no known organization; undefined where the group has no such dimension. */
  anonymous?: number;
  /** How much of the total had no room for a name of its own; with filters, it may belong to what was asked for. */
  other: number;
  /** With `top`: how much of the total the combinations have that are not among them (`other` not included). */
  rest?: number;
  /** How many combinations there are; with `top`, before the others were left out. */
  groups: number;
  /** Rows in pages; each page is read when it is wanted. Ordered by time, then by value from the largest, then by name. */
  rows: AsyncIterable<readonly Row[]>;
}

export interface Row {
  /** Start of the interval, Unix ms; absent without `interval`. */
  time?: number;
  /** In the order of `by`; null for a value that is not known. */
  values: readonly (string | null)[];
  value: number;
}

/** When the latest event came for each combination of a group. */
export interface LatestQuestion {
  statistic: string;
  /** One of the statistic's `latest` groups. */
  group: readonly string[];
  filters: Readonly<Record<string, string | null>>;
  limit: number;
}

export interface LatestRow {
  values: readonly (string | null)[];
  /** Unix ms. */
  time: number;
}

/** Asks the cubes. @throws Error when Redis does not answer; while the rows are read, too. */
export interface Cubes {
  ask(question: Question): Promise<Answer>;
  latest(question: LatestQuestion): Promise<readonly LatestRow[]>;
  /** How many combinations each of these hours or days has, by their names in keys; rows can be counted so, unread. */
  sizes(series: Series, buckets: readonly string[]): Promise<readonly number[]>;
  /** What there is to be asked, as the redis-worker has written it down; sorted by name. */
  statistics(): Promise<readonly Description[]>;
}

/** A statistic as it describes itself, and how far it is. */
export interface Description {
  name: string;
  summary: string;
  description: string;
  measures: Readonly<Record<string, { summary: string; unit?: 'bytes' | 'ms' }>>;
  dimensions: Readonly<Record<string, string>>;
  groups: readonly (readonly string[])[];
  latest: readonly (readonly string[])[];
  keepDays: { hour: number; day: number };
  /** How many combinations of a group are told apart in one hour or day. */
  names: number;
  /** `filling`: it is being filled from the history and its numbers are not whole yet. */
  state: 'live' | 'filling';
  /** Unix ms of the oldest event that it can have counted: it says nothing about what was before. */
  since?: number;
  /** Events that it threw on, and that it has not counted therefore. */
  failures: number;
  /** What it said when it threw last. */
  lastFailure?: string;
}

/** Where descriptions are kept: a hash, name → JSON of {@link Description}. */
export function descriptionsKey(prefix: string): string {
  return `${prefix}weir:statistics`;
}
