import type { Redis } from 'ioredis';
import { BLOCK_DAYS, blockKey, blockOf, bucketKey, formatMember, OTHER } from './keys';
import type { Answer, Description, Question, Row } from './question';

/** One event for tests of reading: what it adds to each measure, and the values of its dimensions. */
export interface Seen {
  time: number;
  measures: Readonly<Record<string, number>>;
  dimensions: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export const description: Description = {
  name: 'visits',
  summary: 'Visits.',
  description: 'Visits of the tests.',
  measures: { visits: { summary: 'A visit.' }, bytes: { summary: 'A byte.', unit: 'bytes' } },
  dimensions: { organization: 'Whose.', repository: 'Of what.', client: 'With what.', platform: 'For what.' },
  groups: [
    ['organization'],
    ['organization', 'repository', 'client'],
    ['organization', 'repository'],
    ['client'],
    ['platform'],
    ['organization', 'platform'],
  ],
  latest: [['organization', 'repository']],
  keepDays: { hour: 15, day: 800 },
  names: 1000,
  state: 'live',
  failures: 0,
};

/** Combinations of values that an event has in a group: several for a dimension with several values. */
export function combinationsOf({ dimensions }: Seen, group: readonly string[]): (string | undefined)[][] {
  return group.reduce<(string | undefined)[][]>((combinations, dimension) => {
    const value = dimensions[dimension];
    const values = Array.isArray(value) ? [...new Set(value as string[])] : [value as string | undefined];
    return combinations.flatMap((combination) => values.map((each) => [...combination, each]));
  }, [[]]); // prettier-ignore
}

/**
 * Writes what the redis-worker would write of events, one transaction each: buckets of hours and days, the blocks of
 * the days deleted. It stands in for the counting script, which tests of its own hold to the same layout.
 */
export async function write(redis: Redis, prefix: string, events: readonly Seen[], names = Infinity): Promise<void> {
  const sizes = new Map<string, Set<string>>();
  const commands: (string | number)[][] = [];
  for (const event of events) {
    const iso = new Date(event.time).toISOString();
    for (const [measure, by] of Object.entries(event.measures)) {
      for (const group of [[], ...description.groups]) {
        const series = { statistic: description.name, measure, group };
        for (const bucket of [iso.slice(0, 10), iso.slice(0, 13)]) {
          const key = bucketKey(prefix, series, bucket);
          const taken = sizes.get(key) ?? new Set();
          sizes.set(key, taken);
          for (const member of combinationsOf(event, group).map(formatMember)) {
            const room = taken.has(member) || taken.size < names;
            if (room) taken.add(member);
            commands.push(['zincrby', key, by, room ? member : OTHER]);
          }
        }
        for (const days of BLOCK_DAYS)
          commands.push(['unlink', blockKey(prefix, series, days, blockOf(iso.slice(0, 10), days))]);
      }
    }
  }
  for (let at = 0; at < commands.length; at += 5000) await redis.multi(commands.slice(at, at + 5000)).exec();
}

/** All rows of an answer. */
export async function rowsIn(answer: Answer): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of answer.rows) rows.push(...page);
  return rows;
}

/** What a question must be answered with, counted from the events of the range that was counted. */
export function countedByHand(events: readonly Seen[], question: Question, from: number, to: number) {
  const dimensions = [...new Set([...question.by, ...Object.keys(question.filters)])];
  const rows = new Map<string, { time: number | undefined; name: string; value: number }>();
  const names = new Map<string, number>();
  let total = 0;
  let anonymous = 0;
  for (const event of events) {
    const iso = new Date(event.time).toISOString();
    if (event.time < from || event.time >= to) continue;
    if (question.weekdays && !question.weekdays.includes(new Date(iso).getUTCDay())) continue;
    const by = event.measures[question.measure];
    if (by === undefined) continue;
    const matching = combinationsOf(event, dimensions).filter((values) =>
      Object.entries(question.filters).every(([dimension, value]) => values[dimensions.indexOf(dimension)] === (value ?? undefined)),
    ); // prettier-ignore
    if (matching.length === 0) continue;
    const times = Object.keys(question.filters).length === 0 ? 1 : matching.length;
    total += times * by;
    if (event.dimensions['organization'] === undefined) anonymous += times * by;
    for (const values of matching) {
      const name = formatMember(question.by.map((dimension) => values[dimensions.indexOf(dimension)]));
      names.set(name, (names.get(name) ?? 0) + by);
      const time = question.interval === undefined ? undefined : intervalByHand(question.interval, iso);
      const row = rows.get(`${time} ${name}`) ?? { time, name, value: 0 };
      row.value += by;
      rows.set(`${time} ${name}`, row);
    }
  }
  const order = [...names].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name]) => name);
  const top = new Set(order.slice(0, question.top));
  return {
    total,
    anonymous,
    groups: names.size,
    rest: order.filter((name) => !top.has(name)).reduce((sum, name) => sum + (names.get(name) ?? 0), 0),
    rows: [...rows.values()]
      .filter(({ name }) => top.has(name))
      .sort((a, b) => (a.time ?? 0) - (b.time ?? 0) || b.value - a.value || (a.name < b.name ? -1 : 1))
      .map(({ time, name, value }) => ({
        ...(time === undefined ? {} : { time }),
        values: question.by.length === 0 ? [] : name.split('/').map((part) => (part === '' ? null : decodeURIComponent(part))),
        value,
      })),
  }; // prettier-ignore
}

/** The start of the interval, by the letters of the time rather than by arithmetic where that can be. */
function intervalByHand(interval: NonNullable<Question['interval']>, iso: string): number {
  const day = Date.parse(`${iso.slice(0, 10)}T00:00:00Z`);
  switch (interval) {
    case 'hour':
      return Date.parse(`${iso.slice(0, 13)}:00:00Z`);
    case 'day':
      return day;
    case 'week':
      return day - ((new Date(day).getUTCDay() + 6) % 7) * 86_400_000;
    case 'month':
      return Date.parse(`${iso.slice(0, 7)}-01T00:00:00Z`);
    case 'year':
      return Date.parse(`${iso.slice(0, 4)}-01-01T00:00:00Z`);
    default:
      return day - ((day / 86_400_000) % parseInt(interval)) * 86_400_000;
  }
}
