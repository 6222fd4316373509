import { isCalendarDay } from '../keys';
import { DAY_MS, endOf, HOUR_MS, startOf } from './calendar';
import type { Interval } from './question';

/** What {@link parseTime} takes, for messages and docs. */
export const TIMES =
  'a date (2026-11-28, its 00:00 UTC), a time with Z or an offset (2026-11-28T13:00Z, 2026-11-28T14:00:00+01:00), Unix ' +
  'seconds, now with steps (now-7d, now-1d+2h: ms, s, m, h, d, w), today, yesterday, this-week, this-month, this-year, ' +
  'last-week, last-month, last-year; years 1970 to 2200; in a URL, + is written %2B';

/**
 * A point in time as people and scripts write it: {@link TIMES}. `now` and seconds are those of the tracker (reference
 * usage-metrics 2.3). A word such as `last-month` is a whole period: its start where a range begins, its end where one
 * ends, so `from=yesterday&to=yesterday` is all of yesterday.
 *
 * @param now Unix milliseconds
 * @param edge which end of a range it is
 * @returns Unix milliseconds, or what is wrong with the text
 */
export function parseTime(text: string, now: number, edge: 'from' | 'to'): number | string {
  if (text.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  const time = words.has(text) ? timeOfWord(text, now, edge) : (timeOfSteps(text, now) ?? timeOfDigits(text) ?? timeOfDate(text)); // prettier-ignore
  if (typeof time === 'string') return time;
  return time >= EARLIEST && time < LATEST ? time : 'is not within the years 1970 to 2200';
}

const MAX_LENGTH = 100;
const EARLIEST = 0;
const LATEST = Date.UTC(2201, 0);

const words = new Map<string, readonly [interval: Interval, which: 'this' | 'last']>([
  ['today', ['day', 'this']],
  ['yesterday', ['day', 'last']],
  ['this-week', ['week', 'this']],
  ['this-month', ['month', 'this']],
  ['this-year', ['year', 'this']],
  ['last-week', ['week', 'last']],
  ['last-month', ['month', 'last']],
  ['last-year', ['year', 'last']],
]);

function timeOfWord(word: string, now: number, edge: 'from' | 'to'): number {
  const [interval, which] = words.get(word) ?? ['day', 'this'];
  const current = startOf(interval, now);
  const start = which === 'this' ? current : startOf(interval, current - 1);
  return edge === 'from' ? start : endOf(interval, start);
}

const steps = /^now((?:[+-]\d{1,15}(?:ms|[smhdw]))*)$/;
const step = /([+-]\d+)(ms|[smhdw])/g;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };

function timeOfSteps(text: string, now: number): number | undefined {
  const [, all] = steps.exec(text) ?? [];
  if (all === undefined) return undefined;
  let time = now;
  for (const [, number, unit] of all.matchAll(step)) time += Number(number) * (UNITS[unit ?? ''] ?? 0);
  return time;
}

/** Digits that are milliseconds for sure: as seconds they would be the year 33658 or later. */
const DIGITS_OF_MILLISECONDS = 13;

function timeOfDigits(text: string): number | string | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  if (text.length >= DIGITS_OF_MILLISECONDS) return 'is too large for Unix seconds; milliseconds are not taken';
  return Number(text) * 1000;
}

const dateTime =
  /^(\d{4}-\d\d-\d\d)(?:T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(\.\d{1,9})?)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;

function timeOfDate(text: string): number | string {
  const [, day, hours = '00', minutes = '00', seconds = '00', fraction = '', offset = 'Z'] = dateTime.exec(text) ?? [];
  if (day === undefined) return 'is not a time';
  if (!isCalendarDay(day)) return `is not a time: there is no ${day} in the calendar`;
  return Date.parse(`${day}T${hours}:${minutes}:${seconds}${fraction.slice(0, '.000'.length)}${offset}`);
}
