import type { WeirEvent } from '@weir/events';

/**
 * One kind of number that is kept about events: what the numbers are, and how an event changes them.
 * `docs/adding-a-statistic.md` walks through a new one.
 */
export interface Statistic {
  /** Short and stable, `[a-z0-9-]`: part of the names of its counters. */
  name: string;
  /** One line: what it answers. */
  summary: string;
  /** Which events count, which do not, and what the dimensions mean. */
  description: string;
  /**
   * Its counters are named without `weir:<name>:` in front. Only seed 000's are: everything else of Weir's own lives
   * under `weir:` (DESIGN, section 5).
   */
  bare?: true;
  /**
   * How the event changes the numbers; empty when it does not. Pure: it depends on the event alone, never on the clock
   * or on earlier events. Throwing parks this event with the error's message and stops nothing else.
   *
   * The array is not changed by anyone. Returning one and the same array for events that count alike is what makes a
   * batch cheap: the counter then does the rest of the work once for all of them.
   */
  increments(event: WeirEvent): readonly Increment[];
  /**
   * What of the event is to be counted once however often it comes, where the statistic counts anything so; pure, as
   * {@link increments} is. Throwing parks the event.
   */
  members?(event: WeirEvent): readonly Members[];
}

/** One step of one counter. */
export interface Increment {
  /** What is counted: `pulls`. */
  measure: string;
  /** Of what: dimension → value, `{ o: 'seqera.io', a: 'arm64' }`. The order is part of the counter's name. */
  dimensions: Readonly<Record<string, string>>;
  /** One counter for each UTC day of the event's own time, or one for all time. */
  resolution: 'day' | 'all';
  /** By how much: a whole number. */
  by: number;
}

/** Something that is counted once in each of these sets, however many events of a day bring it. */
export interface Members {
  /** What is counted: a pseudonym, a name. Never an address: it is not kept, but it goes to Redis as it is. */
  member: string;
  /** One and the same array for events that count alike is what makes it cheap, as with increments. */
  sets: readonly DistinctSet[];
}

/** A set of distinct members: one for each UTC day of the events' own time, kept as a HyperLogLog. */
export interface DistinctSet {
  /** What the members are: `day`. */
  measure: string;
  /**
   * Of what, as in {@link Increment}. How many different values get sets of their own each day is bounded
   * (`UNIQUES_NAMES`); a set without dimensions always has its place.
   */
  dimensions: Readonly<Record<string, string>>;
}

/** The increments of a statistic that has members only: the counter recognises it, and does not ask. */
export const noIncrements: Statistic['increments'] = () => [];
