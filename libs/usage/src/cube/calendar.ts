import type { Interval } from './question';

/** Intervals of the UTC calendar, all in Unix milliseconds. The zone of the process does not matter. */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

const LENGTHS = { hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS, '7d': 7 * DAY_MS, '30d': 30 * DAY_MS } as const;

/** 1970-01-01 was a Thursday: weeks begin four days later. `7d` and `30d` begin with it (seed 002). */
const FIRST_MONDAY = 4 * DAY_MS;

/** When the interval begins that a time lies in. */
export function startOf(interval: Interval, time: number): number {
  if (interval === 'month' || interval === 'year') return monthsAfter(interval, time, 0);
  const origin = interval === 'week' ? FIRST_MONDAY : 0;
  return floorTo(LENGTHS[interval], time - origin) + origin;
}

/** When the interval ends that begins at `start`, and the next one begins. */
export function endOf(interval: Interval, start: number): number {
  if (interval === 'month') return monthsAfter(interval, start, 1);
  if (interval === 'year') return monthsAfter(interval, start, 12);
  return start + LENGTHS[interval];
}

export function floorTo(length: number, time: number): number {
  return Math.floor(time / length) * length;
}

function monthsAfter(interval: 'month' | 'year', time: number, months: number): number {
  const date = new Date(time);
  return Date.UTC(date.getUTCFullYear(), (interval === 'year' ? 0 : date.getUTCMonth()) + months);
}
