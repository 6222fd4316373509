import { DAY_MS, endOf, floorTo, HOUR_MS, startOf } from './calendar';
import type { Description, Question } from './question';
import { QuestionError } from './question-error';

/** What of the buckets a question is about. */
export interface Counted {
  /** The range that is counted, Unix ms, half-open. */
  from: number;
  to: number;
  resolution: 'hour' | 'day';
  /** Names of all buckets, in order of time, as few as there can be: days, and hours at the edges. */
  whole: readonly string[];
  /** With an interval: its buckets for each; those of which no bucket is wanted are not there. */
  spans: readonly Span[];
}

export interface Span {
  /** When the interval begins, Unix ms: for the first one it may be before the range. */
  start: number;
  buckets: readonly string[];
}

/** A year of hours and five of days fit. */
const MAX_INTERVALS = 10_000;
const MAX_FUTURE_DAYS = 366;
/** By how much the clock of Redis may be ahead: buckets go at midnight by that one. */
const SKEW_MS = 60_000;

/**
 * The buckets of a range. Its edges are widened to whole hours where the hours of that day are still kept, otherwise to
 * whole UTC days; to days, too, where days are what is asked for.
 *
 * @throws QuestionError for a range that is empty, upside down, or reaches to where nothing is kept
 */
export function countedRange(
  { from, to, interval, weekdays }: Pick<Question, 'from' | 'to' | 'interval' | 'weekdays'>,
  keepDays: Description['keepDays'],
  now: number,
): Counted {
  const oldest = (days: number) => floorTo(DAY_MS, now + SKEW_MS) - days * DAY_MS;
  const latest = floorTo(DAY_MS, now) + MAX_FUTURE_DAYS * DAY_MS;
  if (!(from < to)) throw new QuestionError('to', 'is not after from', 'a time after from');
  if (to > latest) throw new QuestionError('to', 'is too far in the future', `until ${iso(latest)}`);
  if (floorTo(DAY_MS, from) < oldest(keepDays.day))
    throw new QuestionError('from', `days are kept for ${keepDays.day} days`, `from ${iso(oldest(keepDays.day))} on`);
  if (interval === 'hour' && floorTo(HOUR_MS, from) < oldest(keepDays.hour))
    throw new QuestionError('from', `hours are kept for ${keepDays.hour} days`, `from ${iso(oldest(keepDays.hour))} on, or another interval than hour`); // prettier-ignore

  const byDays = weekdays !== undefined || (interval !== undefined && interval !== 'hour');
  const unit = (time: number) => (byDays || time < oldest(keepDays.hour) ? DAY_MS : HOUR_MS);
  const first = floorTo(unit(from), from);
  const end = -floorTo(unit(to - 1), -to);
  const wanted = (bucket: string) => weekdays === undefined || weekdays.includes(new Date(bucket.slice(0, DAY_LENGTH)).getUTCDay()); // prettier-ignore

  const whole = bucketsBetween(first, end).filter(wanted);
  const spans = interval === undefined ? [] : spansOf(interval, first, end);
  const hours = interval === 'hour' || whole.some((bucket) => !isDay(bucket));
  return {
    from: first,
    to: end,
    resolution: hours ? 'hour' : 'day',
    whole,
    spans: spans
      .map(({ start, buckets }) => ({ start, buckets: buckets.filter(wanted) }))
      .filter(({ buckets }) => buckets.length > 0),
  };
}

function spansOf(interval: NonNullable<Question['interval']>, from: number, to: number): Span[] {
  const spans: Span[] = [];
  for (let start = startOf(interval, from); start < to; start = endOf(interval, start)) {
    if (spans.length === MAX_INTERVALS)
      throw new QuestionError('interval', 'gives too many rows of time', `at most ${MAX_INTERVALS}`);
    spans.push({ start, buckets: bucketsBetween(Math.max(start, from), Math.min(endOf(interval, start), to)) });
  }
  return spans;
}

function bucketsBetween(from: number, to: number): string[] {
  const buckets: string[] = [];
  for (let time = from; time < to;) {
    const day = time % DAY_MS === 0 && time + DAY_MS <= to;
    buckets.push(new Date(time).toISOString().slice(0, day ? DAY_LENGTH : HOUR_LENGTH));
    time += day ? DAY_MS : HOUR_MS;
  }
  return buckets;
}

const DAY_LENGTH = 'YYYY-MM-DD'.length;
const HOUR_LENGTH = 'YYYY-MM-DDTHH'.length;

/** Whether it is the name of a day, not of an hour. */
export function isDay(bucket: string): boolean {
  return bucket.length === DAY_LENGTH;
}

/** Days since 1970-01-01 of a bucket that is a day. */
export function dayNumber(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / DAY_MS;
}

function iso(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}
