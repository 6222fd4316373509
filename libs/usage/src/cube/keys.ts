import { decodeName, encodeName } from '../keys';

/**
 * Names of what cubes are kept in. A bucket is one hour or one UTC day of one measure and one group of dimensions: a
 * sorted set whose members are combinations of values and whose scores are the numbers.
 */

/** Buckets that are written. Longer ones are unions of days, made when they are asked for (`block`). */
export const RESOLUTIONS = ['hour', 'day'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];

/** One measure of one statistic by one group of dimensions. */
export interface Series {
  statistic: string;
  measure: string;
  /** Dimensions in the order of the statistic's `groups`; empty for the total. */
  group: readonly string[];
}

/**
 * The key of a bucket: `weir:cube:<statistic>:<measure>:<dimension>+<dimension>…:<bucket>`.
 *
 * @param bucket `2026-11-28` for a UTC day, `2026-11-28T13` for an hour of it.
 */
export function bucketKey(prefix: string, series: Series, bucket: string): string {
  return `${seriesKey(prefix, 'cube', series)}${bucket}`;
}

/** Lengths of blocks in days, counted from 1970-01-01: the 7 and 30 of seed 002, and what makes a year of four. */
export const BLOCK_DAYS = [90, 30, 7] as const;
export type BlockDays = (typeof BLOCK_DAYS)[number];

/**
 * The key of a block: the union of some days that have gone by, made by a reader and kept for a while. Whoever writes
 * one of its days deletes it (both under one atomic step each), so it never differs from its days.
 *
 * @param first the number of its first day since 1970-01-01, divisible by `days`
 */
export function blockKey(prefix: string, series: Series, days: BlockDays, first: number): string {
  return `${seriesKey(prefix, 'cube-block', series)}${days}:${first}`;
}

/** The number of the block of this length that a UTC day, `YYYY-MM-DD`, lies in, as its first day since 1970-01-01. */
export function blockOf(day: string, days: BlockDays): number {
  const number = Date.parse(`${day}T00:00:00Z`) / DAY_MS;
  return number - (number % days);
}

const DAY_MS = 86_400_000;

/** The key of the times of the latest events of a group: a sorted set, scores in Unix milliseconds. */
export function latestKey(prefix: string, statistic: string, group: readonly string[]): string {
  return `${prefix}weir:cube-latest:${statistic}:${group.join('+')}`;
}

function seriesKey(prefix: string, kind: string, { statistic, measure, group }: Series): string {
  return `${prefix}weir:${kind}:${statistic}:${measure}:${group.join('+')}:`;
}

/** The member for all that had no room: nothing that {@link formatMember} makes. */
export const OTHER = '*';

/**
 * A combination of values as a member: each percent-encoded as in keys, a value that is not known empty, with `/`
 * between them. Different combinations of one group never give one member; {@link parseMember} is the inverse.
 *
 * @throws RangeError for an empty value and for half a surrogate pair, as encodeName does
 */
export function formatMember(values: readonly (string | undefined)[]): string {
  return values.map((value) => (value === undefined ? '' : encodeName(value))).join('/');
}

/** The values of a member, undefined where one is not known; the member of the total, the empty one, has none. */
export function parseMember(member: string, group: readonly string[]): (string | undefined)[] {
  if (group.length === 0) return [];
  return member.split('/').map((segment) => (segment === '' ? undefined : decodeName(segment)));
}
