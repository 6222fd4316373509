import type { Redis } from 'ioredis';
import { countedRange, type Counted } from './buckets';
import { combine, type Combination } from './combinations';
import { anonymousOf, ORGANIZATION, wantedOf, type Wanted } from './group';
import { OTHER, type Series } from './keys';
import type { Answer, Description, Question, Row } from './question';
import { QuestionError } from './question-error';
import { paged, rowOf, rowsOf, rowsOverTime } from './rows';
import { sumOf, sumsOf, totalOf } from './sums';
import { makeUnion, PAGE, type Union } from './union';

/** Combinations that can be followed over time in one answer, and scores that are looked up for it. */
const MAX_OVER_TIME = 10_000;
const MAX_LOOKUPS = 1_000_000;

export interface Asked {
  redis: Redis;
  prefix: string;
  question: Question;
  description: Description;
  now: number;
}

/** What an answer says beside the range and the rows. */
type Numbers = Pick<Answer, 'total' | 'anonymous' | 'other' | 'rest' | 'groups' | 'rows'>;

/**
 * Answers a question. The cost depends on how many names and buckets there are, never on events:
 *
 * - with a filter for every dimension, and for the total, one member is looked up in each bucket;
 * - otherwise the group's union over the range is made, and read from the largest on;
 * - over time, only the members that are wanted are looked up in each bucket.
 *
 * @throws QuestionError for what cannot be answered as it is asked
 */
export async function ask(asked: Asked): Promise<Answer> {
  const { question, description, now } = asked;
  if (!Object.hasOwn(description.measures, question.measure))
    throw new QuestionError('measure', `${description.name} has no ${question.measure}`, Object.keys(description.measures).join(', ')); // prettier-ignore
  if (question.top !== undefined && !(Number.isInteger(question.top) && question.top > 0))
    throw new QuestionError('top', 'is not a number of combinations', 'a whole number from 1 on');
  const wanted = wantedOf(description, question);
  const counted = countedRange(question, description.keepDays, now);
  const numbers = wanted.member === undefined ? await fromUnion(asked, wanted, counted) : await fromMember(asked, wanted, wanted.member, counted); // prettier-ignore
  return { from: counted.from, to: counted.to, resolution: counted.resolution, ...numbers };
}

/** Of the one member that can be meant. */
async function fromMember(asked: Asked, wanted: Wanted, member: string, counted: Counted): Promise<Numbers> {
  const { question } = asked;
  const series = seriesOf(asked, wanted.group);
  const [total = 0, other = 0] =
    wanted.group.length === 0
      ? [await totalOf(asked, question, counted.whole)]
      : await sumOf(asked, series, [member, OTHER], counted.whole);
  const name = wanted.picks.map((pick) => wanted.segments[pick] ?? '').join('/');
  const found = total !== 0 || question.by.length === 0;
  const combinations = found ? [{ name, value: total, members: [member] }] : [];
  const rows = question.interval === undefined ? combinations.map((each) => rowOf(each, question.by)) : undefined;
  return {
    total,
    ...(await anonymous(asked, counted, total)),
    other,
    ...(question.top === undefined ? {} : { rest: 0 }),
    groups: combinations.length,
    rows: rows ? pageOf(rows) : overTime(asked, series, combinations, counted),
  };
}

/** Of all members of a group, or of those that the filters leave. */
async function fromUnion(asked: Asked, wanted: Wanted, counted: Counted): Promise<Numbers> {
  const series = seriesOf(asked, wanted.group);
  const union = await makeUnion({
    ...asked,
    series,
    buckets: counted.whole,
    keep: { days: asked.description.keepDays.day, names: asked.description.names },
  });
  let streams = false;
  try {
    const answer = wanted.asIs
      ? await inOrder(asked, series, union, counted)
      : await together(asked, wanted, series, union, counted);
    streams = answer.streams;
    return answer.numbers;
  } finally {
    if (!streams) await union.release();
  }
}

interface FromUnion {
  numbers: Numbers;
  /** The rows read the union, and release it when they are at their end. */
  streams: boolean;
}

/** The members as they are, from the largest on. */
async function inOrder(asked: Asked, series: Series, union: Union, counted: Counted): Promise<FromUnion> {
  const { question } = asked;
  const total = await totalOf(asked, question, counted.whole);
  const shown = Math.min(question.top ?? union.size, union.size);
  const numbers = {
    total,
    ...(await anonymous(asked, counted, total, { series, union })),
    other: union.other,
    ...(question.top === undefined ? {} : { rest: await restOf(union, shown) }),
    groups: union.size,
  };
  if (question.interval === undefined && shown > PAGE) {
    return { numbers: { ...numbers, rows: streamed(union, shown, question.by) }, streams: true };
  }
  if (question.interval === undefined) {
    const rows: Row[] = [];
    for await (const page of rowsOf(union.pages(0, shown), question.by)) rows.push(...page);
    return { numbers: { ...numbers, rows: pageOf(rows) }, streams: false };
  }
  refuseTooMany(shown, counted);
  const combinations: Combination[] = [];
  for await (const page of union.pages(0, shown)) {
    for (const [name, value] of page) combinations.push({ name, value, members: [name] });
  }
  return { numbers: { ...numbers, rows: overTime(asked, series, combinations, counted) }, streams: false };
}

/** What the filters leave, put together by the dimensions of the rows. */
async function together(
  asked: Asked,
  wanted: Wanted,
  series: Series,
  union: Union,
  counted: Counted,
): Promise<FromUnion> {
  const { question } = asked;
  const organization = wanted.group.indexOf(ORGANIZATION);
  let [sum, nobody] = [0, 0];
  const all = await combine(union.pages(0, union.size), wanted, (parts, value) => {
    sum += value;
    if (parts[organization] === '') nobody += value;
  });
  const unfiltered = Object.keys(question.filters).length === 0;
  const total = unfiltered ? await totalOf(asked, question, counted.whole) : sum;
  const shown = all.slice(0, question.top);
  const known = await anonymous(asked, counted, total, { series, union });
  const numbers = {
    total,
    ...(organization === -1 || known.anonymous !== undefined ? known : { anonymous: nobody }),
    other: union.other,
    ...(question.top === undefined ? {} : { rest: all.slice(question.top).reduce((rest, { value }) => rest + value, 0) }), // prettier-ignore
    groups: all.length,
  };
  const rows = question.interval === undefined ? paged([shown.map((each) => rowOf(each, question.by))]) : overTime(asked, series, shown, counted); // prettier-ignore
  return { numbers: { ...numbers, rows }, streams: false };
}

/** How much of it is anonymous, where a group tells that by itself. */
async function anonymous(
  asked: Asked,
  counted: Counted,
  total: number,
  made?: { series: Series; union: Union },
): Promise<{ anonymous?: number }> {
  const { filters } = asked.question;
  if (Object.hasOwn(filters, ORGANIZATION)) return { anonymous: filters[ORGANIZATION] === null ? total : 0 };
  const found = anonymousOf(asked.description, filters);
  if (found === undefined) return {};
  if (made?.series.group === found.group) return { anonymous: await made.union.valueAt(found.member) };
  const [sum = 0] = await sumOf(asked, seriesOf(asked, found.group), [found.member], counted.whole);
  return { anonymous: sum };
}

async function restOf(union: Union, shown: number): Promise<number> {
  let rest = 0;
  for await (const page of union.pages(shown, union.size)) for (const [, value] of page) rest += value;
  return rest;
}

async function* streamed(union: Union, shown: number, by: readonly string[]): AsyncGenerator<readonly Row[]> {
  try {
    yield* rowsOf(union.pages(0, shown), by);
  } finally {
    await union.release();
  }
}

function overTime(
  asked: Asked,
  series: Series,
  combinations: readonly Combination[],
  counted: Counted,
): AsyncIterable<readonly Row[]> {
  const members = combinations.flatMap((each) => each.members);
  refuseTooMany(members.length, counted);
  const lists = counted.spans.map(({ buckets }) => buckets);
  const sums = members.length === 0 ? nothing<number[]>() : sumsOf(asked, series, members, lists);
  return paged(rowsOverTime(asked.question, combinations, counted.spans, sums, asked.now));
}

function refuseTooMany(members: number, { spans }: Counted): void {
  const buckets = spans.reduce((sum, span) => sum + span.buckets.length, 0);
  const allowed = Math.min(MAX_OVER_TIME, Math.floor(MAX_LOOKUPS / Math.max(1, buckets)));
  if (members > allowed)
    throw new QuestionError('top', `${members} combinations are too many to be followed over ${buckets} hours or days`, `at most ${allowed} combinations, by top, filters or a shorter range`); // prettier-ignore
}

function seriesOf({ question }: Asked, group: readonly string[]): Series {
  return { statistic: question.statistic, measure: question.measure, group };
}

const pageOf = (rows: readonly Row[]) => paged([rows]);

async function* nothing<Item>(): AsyncGenerator<Item> {}
