import type { Redis } from 'ioredis';
import { giveRedis } from '../redis.test-support';
import { isBlock, piecesOf } from './blocks';
import { dayNumber } from './buckets';
import { description, rowsIn, write, type Seen } from './cube.test-support';
import { createCubes } from './cubes';
import { blockKey, BLOCK_DAYS, bucketKey, formatMember } from './keys';
import { makeUnion } from './union';
import { descriptionsKey, type Cubes, type Description, type Question } from './question';

const now = Date.parse('2026-03-15T10:30:00Z');
const day = 86_400_000;
const series = { statistic: 'visits', measure: 'visits', group: ['client'] };

let redis: Redis;
let cubes: Cubes;
giveRedis((given) => (redis = given));
beforeEach(() => describe_(description));

async function describe_(what: Description): Promise<void> {
  cubes = createCubes({ redis, prefix: '', now: () => new Date(now) });
  await redis.hset(descriptionsKey(''), what.name, JSON.stringify(what));
}

const visit = (time: number | string, client = 'docker', organization?: string): Seen => ({
  time: typeof time === 'number' ? time : Date.parse(time),
  measures: { visits: 1 },
  dimensions: { client, organization },
});
const aDayFor = (days: number) => Array.from({ length: days }, (_, n) => visit(now - n * day));

const question = (asked: Partial<Question>): Question => ({
  statistic: 'visits', measure: 'visits', from: now - 365 * day, to: now, by: ['client'], filters: {}, fill: false, ...asked,
}); // prettier-ignore
const count = async (of: Cubes = cubes) => (await rowsIn(await of.ask(question({})))).map(({ value }) => value);
const blocks = async () => (await redis.keys('weir:cube-block:*')).sort();

describe('pieces', () => {
  const days = (first: string, count: number) =>
    Array.from({ length: count }, (_, n) => new Date(Date.parse(first) + n * day).toISOString().slice(0, 10));

  test('are the blocks that lie wholly within, the longest first, and the days that are left', () => {
    for (const first of days('2026-01-01', 35)) {
      const asked = days(first, 70);
      const pieces = piecesOf('', series, asked, Date.parse('2027-01-01'));
      const covered = pieces.flatMap((piece) => (isBlock(piece) ? piece.days : [piece.key]));
      expect(covered).toEqual(asked.map((each) => bucketKey('', series, each)));
      const numbers = asked.map(dayNumber);
      const whole = numbers.filter((number) => number % 30 === 0 && numbers.includes(number + 29));
      const thirties = pieces.filter((piece) => isBlock(piece) && piece.days.length === 30);
      expect(thirties.map(({ key }) => key)).toEqual(whole.map((number) => blockKey('', series, 30, number)));
      expect(pieces.length).toBeLessThanOrEqual(whole.length + 2 * 12 + 6);
    }
  });

  test('a block has only days that are over, in a row', () => {
    const first = new Date(dayNumber('2026-01-20') - (dayNumber('2026-01-20') % 7)); // of a block of 7
    const week = days(new Date(Number(first) * day).toISOString(), 7);
    const sizes = (asked: readonly string[], at: string) =>
      piecesOf('', series, asked, Date.parse(at)).map((piece) => (isBlock(piece) ? piece.days.length : 1));
    const after = new Date(Date.parse(week[6] ?? '') + day).toISOString();
    expect(sizes(week, after)).toEqual([7]);
    expect(sizes(week, `${week[6]}T23:59:59.999Z`)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(sizes(week.filter((_, at) => at !== 3), after)).toEqual([1, 1, 1, 1, 1, 1]); // prettier-ignore
    expect(sizes(week.map((each) => `${each}T00`), after)).toEqual([1, 1, 1, 1, 1, 1, 1]); // prettier-ignore
  });
});

describe('blocks', () => {
  test('are made when they are wanted, kept for a week, and then read', async () => {
    await write(redis, '', aDayFor(366));
    expect(await count()).toEqual([366]);
    const made = await blocks();
    expect(made.filter((key) => key.includes(':90:')).length).toBeGreaterThanOrEqual(3);
    expect(made.length).toBeGreaterThanOrEqual(6);
    for (const key of made) expect(Math.ceil((await redis.ttl(key)) / 3600)).toBe(7 * 24);
    // Nobody but this test changes a day without deleting its blocks: it shows that the day itself is not read.
    await redis.zincrby(bucketKey('', series, '2025-09-20'), 100, 'docker');
    expect(await count()).toEqual([366]);
  });

  test('go with the next event of one of their days', async () => {
    await write(redis, '', aDayFor(366));
    expect(await count()).toEqual([366]);
    const before = await blocks();
    await write(redis, '', [visit('2025-09-20T23:59:59.999Z', 'podman'), visit('2025-09-20', 'docker')]);
    expect((await blocks()).length).toBe(before.length - 1);
    expect(await count()).toEqual([367, 1]);
    expect(await blocks()).toEqual(before);
  });

  test('of days without anything are there too, so that they are not made again and again', async () => {
    await write(redis, '', [visit(now)]);
    expect(await count()).toEqual([1]);
    const made = await blocks();
    expect(made.length).toBeGreaterThanOrEqual(6);
    expect([await redis.zcard(made[0] ?? ''), await redis.zscore(made[0] ?? '', '*')]).toEqual([1, '0']);
    const sent = await commandsOf(() => count());
    expect(sent.filter((line) => line.includes('zunionstore')).length).toBe(1);
    await write(redis, '', [visit('2025-09-20')]);
    expect(await count()).toEqual([2]);
  });

  test('that go between being made and being read are read by their days', async () => {
    await write(redis, '', aDayFor(366));
    // On one connection everything keeps its order: before each transaction, some or all blocks are deleted.
    const losing = (lost: (key: string) => boolean) =>
      new Proxy(redis, {
        get(target, name) {
          if (name !== 'multi') return (Reflect.get(target, name) as () => unknown).bind?.(target);
          return (commands: (string | number)[][]) => {
            const read = commands.filter(([command]) => command === 'exists').map(([, key]) => String(key));
            for (const key of read.filter(lost)) void target.unlink(key);
            return target.multi(commands);
          };
        },
      });
    const cubesOn = (connection: Redis) => createCubes({ redis: connection, prefix: '', now: () => new Date(now) });
    expect(await count(cubesOn(losing(() => true)))).toEqual([366]);
    expect(await count(cubesOn(losing((key) => key.includes(':7:'))))).toEqual([366]);
    expect(await count()).toEqual([366]);
  });

  test('under writers every answer has all that was written before it was asked', async () => {
    await write(redis, '', aDayFor(366));
    const other = redis.duplicate();
    let [written, stop] = [366, false];
    const writer = (async () => {
      for (let n = 0; !stop; n++) {
        await write(other, '', [visit(now - (5 + (n % 300)) * day)]);
        written++;
      }
    })();
    try {
      for (let round = 0; round < 50; round++) {
        const before = written;
        const [value = 0] = await count();
        expect(value).toBeGreaterThanOrEqual(before);
        expect(value).toBeLessThanOrEqual(written + 1);
      }
    } finally {
      stop = true;
      await writer;
      other.disconnect();
    }
    expect(await count()).toEqual([written]);
    expect(written).toBeGreaterThan(366);
  });

  test('are there no longer than the first of their days is kept', async () => {
    await describe_({ ...description, keepDays: { hour: 2, day: 40 } });
    const asked = question({ from: now - 40 * day });
    await write(redis, '', aDayFor(41));
    expect((await cubes.ask(asked)).total).toBe(41);
    for (const key of await blocks()) {
      const first = Number(key.slice(key.lastIndexOf(':') + 1));
      const left = Math.min((first + 41) * day - now, 7 * day);
      expect(Math.ceil((await redis.ttl(key)) / 3600)).toBe(Math.ceil(left / 3_600_000));
    }
    expect((await blocks()).length).toBeGreaterThan(0);
    expect(BLOCK_DAYS).toEqual([90, 30, 7]);
  });
});

describe('long answers', () => {
  const names = 12_345;
  beforeEach(async () => {
    const members = Array.from({ length: names }, (_, n) => [1 + (n % 50), formatMember([`client-${n}`])]);
    await redis.zadd(bucketKey('', series, '2026-03-10'), ...members.flat());
  });
  const answers = () => redis.keys('weir:cube-answer:*');

  test('come in pages in order, from a key that goes by itself and is deleted at the end', async () => {
    const answer = await cubes.ask(question({}));
    const [key = ''] = await answers();
    expect(await redis.ttl(key)).toBeGreaterThan(0);
    const rows = [];
    for await (const page of answer.rows) {
      expect(page.length).toBeLessThanOrEqual(1000);
      expect(await redis.ttl(key)).toBeGreaterThan(0);
      await redis.expire(key, 30);
      rows.push(...page);
    }
    expect(answer.groups).toBe(names);
    expect(new Set(rows.map(({ values }) => values[0])).size).toBe(names);
    const sorted = [...rows].sort((a, b) => b.value - a.value || (`${a.values[0]}` < `${b.values[0]}` ? -1 : 1));
    expect(rows).toEqual(sorted);
    expect(await answers()).toEqual([]);
  });

  test('whose reader leaves early leave nothing behind', async () => {
    for await (const page of (await cubes.ask(question({}))).rows) {
      expect(page.length).toBe(1000);
      expect(await answers()).toHaveLength(1);
      break;
    }
    expect(await answers()).toEqual([]);
  });

  test('that are waited with for too long end with an error, not with fewer rows', async () => {
    const { rows } = await cubes.ask(question({}));
    const read = async () => {
      for await (const page of rows) {
        expect(page.length).toBe(1000);
        await redis.del(...(await answers())); // as when the time is up
      }
    };
    await expect(read()).rejects.toThrow(/between two pages/);
  });

  test('a top that is long comes in pages as well, and the rest is what is left', async () => {
    const answer = await cubes.ask(question({ top: 2500 }));
    const rows = await rowsIn(answer);
    expect(rows).toHaveLength(2500);
    const all = Array.from({ length: names }, (_, n) => 1 + (n % 50)).reduce((sum, value) => sum + value, 0);
    expect((answer.rest ?? 0) + rows.reduce((sum, { value }) => sum + value, 0)).toBe(all);
    expect(await answers()).toEqual([]);
  });

  test('over time, too many names are refused with what is allowed, and some are not', async () => {
    await expect(cubes.ask(question({ interval: 'day' }))).rejects.toThrow(
      /^top: 12345 combinations are too many .* allowed: at most 2732 combinations/,
    );
    expect(await answers()).toEqual([]);
    const rows = await rowsIn(await cubes.ask(question({ interval: 'day', top: 2000 })));
    expect(rows).toHaveLength(2000);
  });
});

test('what had no room for a name is told, and makes up the total', async () => {
  const visits = Array.from({ length: 60 }, (_, n) => visit(now - (n % 40) * day, `client-${n % 9}`));
  await write(redis, '', visits, 1);
  const answer = await cubes.ask(question({}));
  const rows = await rowsIn(answer);
  const named = rows.reduce((sum, { value }) => sum + value, 0);
  expect(answer.other).toBeGreaterThan(0);
  expect([answer.total, named + answer.other]).toEqual([60, 60]);
  expect(rows.some(({ values }) => values[0] === '*')).toBe(false);
  expect((await cubes.ask(question({ filters: { client: 'client-0' } }))).other).toBe(answer.other);
});

describe('the hours of today', () => {
  const today = async () => (await rowsIn(await cubes.ask(question({ from: now - day })))).map(({ value }) => value);
  const read = async () => (await commandsOf(today)).find((line) => line.includes('zunionstore')) ?? '';
  const dayRead = `${bucketKey('', series, '2026-03-15')} `;

  test('are read as the day, as long as nothing lies after them', async () => {
    await write(redis, '', [visit('2026-03-15T00:10:00Z'), visit('2026-03-15T10:10:00Z'), visit('2026-03-14T10:00:00Z')]);
    expect(await today()).toEqual([3]);
    expect(await read()).toContain(dayRead);
  });

  test('are read one by one when something does: it is of no answer that ends before', async () => {
    await write(redis, '', [visit('2026-03-15T10:10:00Z'), visit('2026-03-15T11:00:00Z'), visit('2026-03-15T23:59:59Z')]);
    expect(await today()).toEqual([1]);
    expect(await today()).toEqual([1]);
  });

  test('are no shorter than what was asked for', () => {
    const hours = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `2026-03-15T${String(from + n).padStart(2, '0')}`);
    const keys = (...asked: string[]) => piecesOf('', series, asked, now).map(({ key }) => key);
    expect(keys(...hours(0, 3))).toEqual([bucketKey('', series, '2026-03-15')]);
    expect(keys('2026-03-14', ...hours(0, 3))).toEqual(['2026-03-14', '2026-03-15'].map((each) => bucketKey('', series, each)));
    for (const some of [hours(1, 4), hours(0, 1), hours(5, 24), ['2026-03-14T23', ...hours(1, 3)]])
      expect(keys(...some)).toEqual(some.map((each) => bucketKey('', series, each)));
  });
}); // prettier-ignore

test('a union of more members than can be added up in reasonable time is refused before it is made', async () => {
  const buckets = ['2026-03-12', '2026-03-13'];
  for (const bucket of buckets) await redis.zadd(bucketKey('', series, bucket), 1, 'a', 1, 'b', 1, 'c');
  const make = (maxMembers: number) =>
    makeUnion({ redis, prefix: '', series, buckets, keep: { days: 800, names: 1000 }, now, maxMembers });
  expect((await make(6)).size).toBe(3);
  await redis.flushdb();
  for (const bucket of buckets) await redis.zadd(bucketKey('', series, bucket), 1, 'a', 1, 'b', 1, 'c');
  await expect(make(5)).rejects.toThrow(/^from: .*too many names.*allowed: a shorter range/);
  expect(await redis.keys('*answer*')).toEqual([]);
});

/** The commands that a Redis is sent meanwhile. */
async function commandsOf(run: () => Promise<unknown>): Promise<string[]> {
  const monitor = await redis.monitor();
  const lines: string[] = [];
  const end = `end-${Math.random()}`;
  const ended = new Promise<void>((resolve) => {
    monitor.on('monitor', (_: string, args: string[]) => {
      if (args[1] === end) resolve();
      else lines.push(args.join(' '));
    });
  });
  try {
    await run();
    await redis.echo(end);
    await ended;
  } finally {
    monitor.disconnect();
  }
  return lines;
}
