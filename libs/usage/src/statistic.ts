import type { WeirEvent } from '@weir/events';

/** What every statistic tells about itself. */
export interface Described {
  /** Short and stable, `[a-z][a-z0-9-]*`, at most 40 characters: part of the names of its keys and of URLs. */
  name: string;
  /** One line: what it answers. */
  summary: string;
  /** Which events count, which do not, and what the numbers mean. */
  description: string;
}

/**
 * Numbers over time, by dimensions: how much (`measures`) of what (`dimensions`) in which hour and on which day. Nearly
 * every statistic is one, and whoever adds one writes this; `docs/adding-a-statistic.md` walks through it.
 */
export interface Cube extends Described {
  /** What is summed up: measure → what it is. */
  measures: Readonly<Record<string, Measure>>;
  /** By what it can be told apart: dimension → what its values are. */
  dimensions: Readonly<Record<string, string>>;
  /**
   * Which dimensions are kept together, and so can be asked for together: `[['organization'], ['organization',
   * 'repository']]`. The total, without any, is always kept. Each costs a sorted set an hour and one a day for every
   * measure, so name those only that somebody asks for.
   */
  groups: readonly (readonly string[])[];
  /** Groups (of {@link groups}) of which the time of the latest event is kept as well: when was this last pulled? */
  latest?: readonly (readonly string[])[];
  /** How long hours and days are kept, in days; absent: {@link KEEP_DAYS}. */
  keepDays?: { hour: number; day: number };
  /**
   * How many values (combinations of values) of a group are told apart in one hour or day, first come, first served;
   * the rest is one number, `other`. Absent: what the redis-worker is told (STATISTICS_NAMES).
   */
  names?: number;
  /** How many days of the history it is filled with when it is new; absent: all that there is. 0: none. */
  historyDays?: number;
  /**
   * Raised when events are to count otherwise than before: then it is filled from the history anew, as it is when its
   * measures, dimensions or groups change. A plug-in's file is part of its version.
   */
  version?: string;
  /**
   * How the event changes the numbers; empty when it does not. Pure: it depends on the event alone, never on the clock
   * or on earlier events. The array is not changed by anyone; returning one and the same for events that count alike
   * makes a batch cheaper, not different.
   */
  increments(event: WeirEvent): readonly Increment[];
}

export interface Measure {
  /** One line: what one of it is. */
  summary: string;
  /** `bytes`, `ms`; absent for plain counts. */
  unit?: 'bytes' | 'ms';
}

/** How long hours and days are kept where a statistic does not say: two weeks and a day; four years and a month, for "2021?" is asked in 2024 (seed 004). */
export const KEEP_DAYS = { hour: 15, day: 1500 } as const;

/** Steps of several measures with the same dimensions. */
export interface Increment {
  /** Measure → by how much: whole numbers. */
  measures: Readonly<Record<string, number>>;
  /**
   * Dimension → value. One that is absent (or undefined) is not known: an anonymous pull has no organization. A list
   * counts once for each of its different values in groups that have this dimension, and once in all others: a build of
   * two platforms is one build, and one of each platform.
   */
  dimensions: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Whether the event may be the latest one of its groups ({@link Cube.latest}); absent: it may. A check is no pull. */
  latest?: boolean;
}

/** Seed 000's counters, by names of their own: the statistic that other programs read by its keys. */
export interface Keyed extends Described {
  /** The counters that the event is one more of; pure, and cached as {@link Cube.increments} may be. */
  steps(event: WeirEvent): readonly Step[];
}

/** One step of one named counter. */
export interface Step {
  /** What is counted: `pulls`. */
  measure: string;
  /** Of what: dimension → value, `{ o: 'seqera.io', a: 'arm64' }`. The order is part of the counter's name. */
  dimensions: Readonly<Record<string, string>>;
  /** One counter for each UTC day of the event's own time, or one for all time. */
  resolution: 'day' | 'all';
}

/** What is counted once however often it comes: sources, users. Kept as HyperLogLogs. */
export interface Distinct extends Described {
  /** Pure, as {@link Cube.increments} is. */
  members(event: WeirEvent): readonly Members[];
}

/** Something that is counted once in each of these sets, however many events of a day bring it. */
export interface Members {
  /** What is counted: a pseudonym, a name. Never an address: it is not kept, but it goes to Redis as it is. */
  member: string;
  /** One and the same array for events that count alike is what makes it cheap. */
  sets: readonly DistinctSet[];
}

/** A set of distinct members: one for each UTC day of the events' own time, kept as a HyperLogLog. */
export interface DistinctSet {
  /** What the members are: `day`. */
  measure: string;
  /**
   * Of what, as in {@link Step}. How many different values get sets of their own each day is bounded
   * (`UNIQUES_NAMES`); a set without dimensions always has its place.
   */
  dimensions: Readonly<Record<string, string>>;
}

export type Statistic = Cube | Keyed | Distinct;

export const isCube = (statistic: Statistic): statistic is Cube => 'increments' in statistic;
export const isKeyed = (statistic: Statistic): statistic is Keyed => 'steps' in statistic;
export const isDistinct = (statistic: Statistic): statistic is Distinct => 'members' in statistic;
