import { QuestionError, type Answer, type Cubes, type Row } from '@weir/usage';
import type { FeedQuestion } from './feed-question';
import { keptSince } from './kept';
import type { Model } from './models';

export interface Feed {
  rows: readonly Row[];
  /** How many pages there are. */
  pages: number;
}

/**
 * One page of a model's rows, ordered by time, then from the largest; and how many pages there are.
 *
 * The rows are gone through once to see how many each interval has, and those intervals once more that the page is in:
 * so no more than a page of them is kept, whatever the order.
 *
 * @param now Unix seconds
 */
export async function readFeed(cubes: Cubes, model: Model, question: FeedQuestion, now: number): Promise<Feed> {
  const { ascending, limit = Infinity, page, rowsPerPage } = question;
  const counts = new Map<number, number>();
  for await (const { time = 0 } of rowsOf(cubes, model, windowOf(model, question, now))) {
    counts.set(time, (counts.get(time) ?? 0) + 1);
  }
  const count = Math.min(
    [...counts.values()].reduce((sum, each) => sum + each, 0),
    limit,
  );
  const times = [...counts.keys()].sort((one, other) => (ascending ? one - other : other - one));
  const [begin, end] = [(page - 1) * rowsPerPage, Math.min(page * rowsPerPage, count)];
  const slices = slicesOf(times, counts, begin, end);
  const found = await rowsIn(cubes, model, slices);
  return {
    rows: times.flatMap((time) => found.get(time) ?? []),
    pages: Math.ceil(count / rowsPerPage),
  };
}

/** Of which rows of an interval, by their places, a page consists; intervals without any are left out. */
type Slices = ReadonlyMap<number, { begin: number; end: number }>;

function slicesOf(times: readonly number[], counts: ReadonlyMap<number, number>, begin: number, end: number): Slices {
  const slices = new Map<number, { begin: number; end: number }>();
  let before = 0;
  for (const time of times) {
    const count = counts.get(time) ?? 0;
    const slice = { begin: Math.max(begin - before, 0), end: Math.min(end - before, count) };
    if (slice.begin < slice.end) slices.set(time, slice);
    before += count;
  }
  return slices;
}

async function rowsIn(cubes: Cubes, model: Model, slices: Slices): Promise<ReadonlyMap<number, Row[]>> {
  const found = new Map<number, Row[]>();
  const times = [...slices.keys()];
  const window = { from: Math.min(...times), to: Math.max(...times) + model.seconds * 1000 };
  let [last, place] = [-1, 0];
  for await (const row of rowsOf(cubes, model, window)) {
    const { time = 0 } = row;
    [last, place] = [time, time === last ? place + 1 : 0];
    const slice = slices.get(time);
    if (slice === undefined || place < slice.begin || place >= slice.end) continue;
    found.set(time, [...(found.get(time) ?? []), row]);
  }
  return found;
}

/** Half-open, Unix ms. */
interface Window {
  from: number;
  to: number;
}

/**
 * The whole intervals that end between start and stop, both included, and that are kept. One that has not ended yet ends
 * in the future: without `stop` it is not among them, so that pages stand still.
 */
function windowOf({ interval, seconds, statistic }: Model, { start, stop }: FeedQuestion, now: number): Window {
  const { hour, day } = statistic.keepDays;
  const kept = keptSince(interval === 'hour' ? hour : day, now * 1000) / 1000;
  const from = Math.max(Math.ceil(start / seconds) - 1, Math.ceil(kept / seconds));
  const to = Math.min(Math.floor(stop / seconds), Math.floor(now / seconds) + 1);
  return { from: from * seconds * 1000, to: to * seconds * 1000 };
}

/**
 * The rows of these intervals; those of one interval come together, from the largest on. What is too much to be followed
 * over time in one answer is asked for in halves, and in the end interval by interval, which is never too much.
 */
async function* rowsOf(cubes: Cubes, model: Model, { from, to }: Window): AsyncGenerator<Row> {
  if (!(from < to)) return;
  const { statistic, measure, by, interval, seconds } = model;
  const intervals = (to - from) / (seconds * 1000);
  const question = { statistic: statistic.name, measure, by, filters: {}, fill: false, from, to };
  if (intervals === 1) {
    for await (const page of (await cubes.ask(question)).rows) {
      for (const row of page) if (row.value !== 0) yield { ...row, time: from };
    }
    return;
  }
  const answer = await unlessTooMuch(cubes.ask({ ...question, interval }));
  if (answer !== undefined) {
    for await (const page of answer.rows) yield* page;
    return;
  }
  const middle = from + Math.floor(intervals / 2) * seconds * 1000;
  yield* rowsOf(cubes, model, { from, to: middle });
  yield* rowsOf(cubes, model, { from: middle, to });
}

async function unlessTooMuch(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof QuestionError) return undefined;
    throw error;
  }
}
