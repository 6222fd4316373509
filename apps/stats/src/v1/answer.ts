import type { Answer, Cubes, Description, Flow, Gap, LatestRow, Row } from '@weir/usage';
import type { Reader } from '../accounts';
import { compared, placesOf, questionBefore, type Compare, type ComparedRow } from './compare';
import { formatCursor } from './cursor';
import type { Line } from './formats';
import { ParametersError } from './mistakes';
import { DEFAULT_LIMIT, MAX_LIMIT, queryParameters, weekdayNames, type Format } from './parameters';
import type { Asked } from './question';
import { iso, type Range } from './range';

/** An answer before it is written: what is said beside its rows, and one page of them. */
export interface Answered {
  head: Head;
  columns: readonly string[];
  lines: AsyncGenerator<readonly Line[], boolean>;
  /** The cursor of the page after this one; undefined where all rows are wanted at once. */
  cursor: string | undefined;
  counted: Range;
}

export type Head = ReturnType<typeof headOf>;

export interface Sources {
  cubes: Cubes;
  flow: Flow;
  now: number;
}

/**
 * Asks what was asked, and for the range before when they are to be compared.
 *
 * @throws QuestionError for what can only be seen now to be wrong, ParametersError
 */
export async function answerOf(asked: Asked, reader: Reader, format: Format, sources: Sources): Promise<Answered> {
  const { question, compare, skip } = asked;
  const answer = await sources.cubes.ask(question);
  const gaps = await sources.flow.gaps(answer.from, answer.to);
  const before = compare === undefined ? undefined : await beforeOf(asked, answer, compare, sources);
  const limit = asked.limit ?? (format === 'json' || compare !== undefined ? DEFAULT_LIMIT : undefined);
  const rows = pageOf(answer.rows, skip, limit);
  const { by, interval } = question;
  return {
    head: headOf(asked, answer, { gaps, before, reader }),
    columns: [
      ...(interval === undefined ? [] : ['time']),
      ...by,
      'value',
      ...(compare === undefined ? [] : ['previous']),
    ],
    lines: linesOf(before === undefined ? rows : before.rows(rows, limit ?? MAX_LIMIT), by),
    cursor: limit === undefined ? undefined : formatCursor(skip + limit, { ...question, from: answer.from, to: answer.to }, compare), // prettier-ignore
    counted: { from: answer.from, to: answer.to },
  };
}

type Pages<T> = AsyncGenerator<readonly T[], boolean>;

interface Before {
  answer: Answer;
  rows(rows: Pages<Row>, limit: number): Pages<ComparedRow>;
}

async function beforeOf(
  { question, description }: Asked,
  counted: Range,
  compare: Compare,
  { cubes, now }: Sources,
): Promise<Before> {
  const { from, to } = counted;
  const questionThen = questionBefore(question, counted, compare);
  try {
    const places = {
      now: placesOf({ ...question, from, to }, description, now),
      before: placesOf(questionThen, description, now),
    };
    const answer = await cubes.ask(questionThen);
    return {
      answer,
      async *rows(rows) {
        const all: Row[] = [];
        const more = yield* drained(rows, all);
        const whole = await compared(all, answer, places);
        for (let at = 0; at < whole.length; at += PIECE) yield whole.slice(at, at + PIECE);
        return more;
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `the range before, ${iso(questionThen.from)} to ${iso(questionThen.to)}, cannot be asked for`;
    const allowed = `a range whose one before is kept; ${queryParameters.shape.compare.description ?? ''}`;
    throw new ParametersError([{ parameter: 'compare', message, allowed }]);
  }
}

/** Rows that are written at once. */
const PIECE = 1000;

/** Takes all rows there are, giving none. */
async function* drained(rows: Pages<Row>, into: Row[]): AsyncGenerator<never, boolean> {
  for (;;) {
    const next = await rows.next();
    if (next.done) return next.value;
    into.push(...next.value);
  }
}

/** A page of the rows; at its end, whether there are more. */
export async function* pageOf(
  rows: AsyncIterable<readonly Row[]>,
  skip: number,
  limit: number | undefined,
): Pages<Row> {
  const end = skip + (limit ?? Infinity);
  let seen = 0;
  for await (const page of rows) {
    const wanted = page.slice(Math.max(0, skip - seen), Math.max(0, end - seen));
    seen += page.length;
    if (wanted.length > 0) yield wanted;
    if (seen > end) return true;
  }
  return false;
}

async function* linesOf(rows: Pages<ComparedRow>, by: readonly string[]): Pages<Line> {
  for (;;) {
    const next = await rows.next();
    if (next.done) return next.value;
    yield next.value.map((row) => lineOf(row, by));
  }
}

function lineOf({ time, values, value, previous }: ComparedRow, by: readonly string[]): Line {
  return {
    ...(time === undefined ? {} : { time: iso(time) }),
    ...namedBy(by, values),
    value,
    ...(previous === undefined ? {} : { previous }),
  };
}

export function latestLine({ time, values }: LatestRow, by: readonly string[]): Line {
  return { ...namedBy(by, values), time: iso(time) };
}

function namedBy(by: readonly string[], values: readonly (string | null)[]): Record<string, string | null> {
  return Object.fromEntries(by.map((dimension, at) => [dimension, values[at] ?? null]));
}

interface Beside {
  gaps: readonly Gap[];
  before: Before | undefined;
  reader: Reader;
}

/**
 * What is said of an answer beside its rows. To a reader of one organization, not how much of others' there is: what has
 * no name of its own may be anybody's.
 */
function headOf({ question, description }: Asked, answer: Answer, { gaps, before, reader }: Beside) {
  const { statistic, measure, interval, by, filters, top, weekdays } = question;
  const isOwn = reader.organization !== undefined;
  const { unit } = description.measures[measure] ?? {};
  return {
    statistic,
    measure,
    unit,
    from: iso(answer.from),
    to: iso(answer.to),
    resolution: answer.resolution,
    interval,
    by,
    filters,
    top,
    weekday: weekdays === undefined ? undefined : weekdayNames(weekdays),
    total: answer.total,
    anonymous: isOwn ? undefined : answer.anonymous,
    other: isOwn ? undefined : answer.other,
    capped: answer.other > 0,
    rest: answer.rest,
    groups: answer.groups,
    complete: isComplete(description, answer.from, gaps),
    gaps: gaps.map(gapOf),
    state: description.state,
    since: description.since === undefined ? undefined : iso(description.since),
    failures: description.failures,
    comparison: before === undefined ? undefined : comparisonOf(answer, before.answer),
  };
}

function comparisonOf({ total }: Answer, before: Answer) {
  return {
    from: iso(before.from),
    to: iso(before.to),
    total: before.total,
    change: before.total === 0 ? null : total / before.total - 1,
  };
}

/** Nothing was missing while it was counted, it has been filled, and it reaches back to where the range begins. */
function isComplete({ state, since }: Description, from: number, gaps: readonly Gap[]): boolean {
  return gaps.length === 0 && state === 'live' && (since ?? from) <= from;
}

export function gapOf({ from, to, reason, service }: Gap) {
  return { from: iso(from), to: iso(to), reason, service };
}

/** A statistic as it describes itself; what it said when it threw may speak of others. */
export function describe({ since, lastFailure, ...description }: Description, reader: Reader) {
  return {
    ...description,
    since: since === undefined ? undefined : iso(since),
    lastFailure: reader.organization === undefined ? lastFailure : undefined,
  };
}
