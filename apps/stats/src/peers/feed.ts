import type { Cubes, Row } from '@weir/usage';
import type { FeedQuestion } from './feed-question';
import { keptSince } from './kept';
import type { Model } from './models';

export interface Feed {
  rows: readonly Row[];
  /** How many pages there are. */
  pages: number;
}

/**
 * One page of a model's rows, ordered by time, then from the largest; and how many pages there are. Only the intervals
 * that the page is in are read; of the others it is enough to know how many rows they have.
 *
 * @param now Unix seconds
 */
export async function readFeed(cubes: Cubes, model: Model, question: FeedQuestion, now: number): Promise<Feed> {
  const { ascending, limit = Infinity, page, rowsPerPage } = question;
  const times = timesOf(model, question, now);
  const sizes = await sizesOf(cubes, model, times);
  const order = [...times.keys()];
  if (!ascending) order.reverse();
  const count = Math.min(
    sizes.reduce((sum, size) => sum + size, 0),
    limit,
  );
  const [begin, end] = [(page - 1) * rowsPerPage, Math.min(page * rowsPerPage, count)];
  const rows: Row[] = [];
  let before = 0;
  for (const place of order) {
    const [time = 0, size = 0] = [times[place], sizes[place]];
    const slice = { begin: Math.max(begin - before, 0), end: Math.min(end - before, size) };
    if (slice.begin < slice.end) rows.push(...(await rowsOf(cubes, model, time, slice)));
    before += size;
  }
  return { rows, pages: Math.ceil(count / rowsPerPage) };
}

/**
 * Starts of the whole intervals that end between start and stop, both included, and that are kept; Unix ms. One that has
 * not ended yet ends in the future: without `stop` it is not among them, so that pages stand still.
 */
function timesOf({ interval, seconds, statistic }: Model, { start, stop }: FeedQuestion, now: number): number[] {
  const { hour, day } = statistic.keepDays;
  const kept = keptSince(interval === 'hour' ? hour : day, now * 1000) / 1000;
  const first = Math.max(Math.ceil(start / seconds) - 1, Math.ceil(kept / seconds));
  const end = Math.min(Math.floor(stop / seconds), Math.floor(now / seconds) + 1);
  return Array.from({ length: Math.max(end - first, 0) }, (_, at) => (first + at) * seconds * 1000);
}

/** How many rows each interval has. */
async function sizesOf(cubes: Cubes, model: Model, times: readonly number[]): Promise<readonly number[]> {
  const { statistic, measure, by, interval, seconds } = model;
  const series = { statistic: statistic.name, measure, group: by };
  if (interval === 'hour') return cubes.sizes(series, times.map((time) => nameOf(time, 'YYYY-MM-DDTHH'))); // prettier-ignore
  const days = seconds / 86_400;
  const names = times.flatMap((time) => Array.from({ length: days }, (_, day) => nameOf(time + day * DAY_MS, 'YYYY-MM-DD')));
  const daily = await cubes.sizes(series, names);
  if (days === 1) return daily;
  const sizes: number[] = [];
  for (const [at, time] of times.entries()) {
    const empty = daily.slice(at * days, (at + 1) * days).every((size) => size === 0);
    // How many there are on several days together is known when they have been put together.
    sizes.push(empty ? 0 : (await cubes.ask({ ...questionOf(model, time), top: 1 })).groups);
  }
  return sizes;
} // prettier-ignore

const DAY_MS = 86_400_000;

/** The name of a bucket (its key's last part). */
function nameOf(time: number, form: string): string {
  return new Date(time).toISOString().slice(0, form.length);
}

/** Rows of one interval by their places, the largest first. */
async function rowsOf(
  cubes: Cubes,
  model: Model,
  time: number,
  { begin, end }: { begin: number; end: number },
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of (await cubes.ask({ ...questionOf(model, time), top: end })).rows) rows.push(...page);
  return rows.slice(begin, end).map((row) => ({ ...row, time }));
}

function questionOf({ statistic, measure, by, seconds }: Model, from: number) {
  const to = from + seconds * 1000;
  return { statistic: statistic.name, measure, by, filters: {}, fill: false, from, to };
}
