import { startRedis, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { Redis } from 'ioredis';
import { seeded } from '@weir/testing';
import { countedByHand, description, rowsIn, write, type Seen } from './cube.test-support';
import { createCubes } from './cubes';
import { descriptionsKey, INTERVALS, type Cubes, type Question } from './question';

// A history of two years, written once; every answer is compared with a count over its events.

const prefix = '{test}:';
const now = Date.parse('2026-03-15T10:30:00Z');
const day = 86_400_000;
const at = (text: string) => Date.parse(text);

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let redis: Redis;
let cubes: Cubes;

const events = history(2500);

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startRedis({ dir: directory.path });
  redis = new Redis(server.url);
  cubes = createCubes({ redis, prefix, now: () => new Date(now) });
  await redis.hset(descriptionsKey(prefix), description.name, JSON.stringify(description));
  await write(redis, prefix, events);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await directory.remove();
});
afterEach(async () => {
  expect(await redis.keys('*cube-answer*')).toEqual([]);
});

/** Most of it within the last three weeks, with the edges of months, of a leap year and of days. */
function history(count: number): Seen[] {
  const random = seeded(5);
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item;
  const edges = [
    '2024-02-28T23:59:59.999Z', '2024-02-29T00:00:00Z', '2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00Z',
    '2024-12-31T23:59:59.999Z', '2025-01-01T00:00:00Z', '2025-03-30T01:30:00Z', '2025-10-26T01:30:00Z',
    '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00Z', '2026-03-15T10:29:59.999Z', '2026-03-01T00:00:00Z',
  ].map(at); // prettier-ignore
  return Array.from({ length: count }, (_, n) => ({
    time: edges[n] ?? Math.floor(now - random() * (n % 3 === 0 ? 795 : 20) * day),
    measures: n % 7 === 0 ? { visits: 1, bytes: Math.floor(random() * 1e9) } : { visits: 1 },
    dimensions: {
      organization: pick([undefined, undefined, 'a.example', 'b.example', 'ünïcode / "x"', '*', 'Capital']),
      repository: `library/${Math.floor(random() ** 2 * 12)}`,
      client: pick(['docker', 'podman', 'helm', undefined]),
      platform: pick([undefined, 'linux/amd64', 'linux/arm64', ['linux/amd64', 'linux/arm64', 'linux/amd64']]),
    },
  }));
}

type Asked = Partial<Question>;
const question = (asked: Asked): Question => ({
  statistic: 'visits',
  measure: 'visits',
  from: now - 7 * day,
  to: now,
  by: [],
  filters: {},
  fill: false,
  ...asked,
});

async function matches(asked: Asked): Promise<void> {
  const whole = question(asked);
  const answer = await cubes.ask(whole);
  expect(answer.from).toBeLessThanOrEqual(whole.from);
  expect(answer.to).toBeGreaterThanOrEqual(whole.to);
  const counted = countedByHand(events, whole, answer.from, answer.to);
  expect(counted.total).toBeGreaterThan(0);
  expect(await rowsIn(answer)).toEqual(counted.rows);
  expect({ total: answer.total, groups: answer.groups, other: answer.other }).toEqual({
    total: counted.total,
    groups: counted.groups,
    other: 0,
  });
  if (answer.anonymous !== undefined) expect(answer.anonymous).toBe(counted.anonymous);
  expect(answer.rest).toBe(whole.top === undefined ? undefined : counted.rest);
}

const ranges: Readonly<Record<string, Asked>> = {
  'a week': {},
  'two months, hours at one end only': { from: now - 60 * day },
  '365 days': { from: now - 365 * day },
  'nearly all': { from: now - 799 * day, to: now + 2 * day },
  'days that are over': { from: at('2025-01-01'), to: at('2026-01-01') },
  'the nights when clocks are changed': { from: at('2025-03-30'), to: at('2025-10-27') },
};

/** So short that only a few events lie in them: asked without filters. */
const shortRanges: Readonly<Record<string, Asked>> = {
  'an hour': { from: now - 3_600_000 },
  'a day': { from: now - day },
  'a leap day, and an hour of it': { from: at('2024-02-29T05:00Z'), to: at('2024-02-29T06:00Z') },
  'the end of February': { from: at('2024-02-28'), to: at('2024-03-02') },
  'the end of January': { from: at('2026-01-31'), to: at('2026-02-02') },
  'the end of a year': { from: at('2024-12-31'), to: at('2025-01-02') },
};

const bys: Readonly<Record<string, Asked>> = {
  total: {},
  organization: { by: ['organization'] },
  'top 2 clients': { by: ['client'], top: 2 },
  'platforms, of which a visit has several': { by: ['platform'], top: 1 },
  'two dimensions': { by: ['organization', 'repository'], top: 5 },
  'in another order': { by: ['repository', 'organization'], top: 5 },
  'fewer than are kept together': { by: ['repository'], top: 3 },
  'of one organization': { filters: { organization: 'a.example' } },
  'of nobody': { filters: { organization: null } },
  'by client, of one organization': { by: ['client'], filters: { organization: 'ünïcode / "x"' }, top: 3 },
  'of what is called *': { by: ['repository'], filters: { organization: '*' } },
  'of one with one client': { filters: { organization: 'b.example', client: null } },
  'by what is filtered': { by: ['organization'], filters: { organization: 'Capital' } },
  'bytes by organization': { measure: 'bytes', by: ['organization'] },
};

describe.each(Object.entries(ranges))('%s', (_, range) => {
  test.each(Object.entries(bys))('%s', (_, by) => matches({ ...range, ...by }));
});

describe.each(Object.entries(shortRanges))('%s', (_, range) => {
  const plain = Object.entries(bys).filter(([, { filters, measure }]) => !filters && !measure);
  test.each(plain)('%s', (_, by) => matches({ ...range, ...by }));
});

describe.each(INTERVALS.map((interval) => [interval]))('each %s', (interval) => {
  const range = interval === 'hour' ? { from: now - 5 * day } : { from: now - 700 * day };
  test.each(Object.entries(bys))('%s', (_, by) => matches({ ...range, ...by, interval }));
});

test.each<[string, Asked]>([
  ['every Tuesday this year', { from: at('2026-01-01'), weekdays: [2] }],
  ['by client', { from: now - 365 * day, weekdays: [2], by: ['client'] }],
  ['weekends, month by month', { from: now - 365 * day, weekdays: [0, 6], interval: 'month', by: ['organization'] }],
  ['Tuesdays, each', { from: now - 100 * day, weekdays: [2], interval: 'day' }],
  ['every day of the week', { from: now - 365 * day, weekdays: [0, 1, 2, 3, 4, 5, 6], by: ['client'], top: 1 }],
  ['hours of Sundays', { from: now - 10 * day, weekdays: [0], interval: 'hour' }],
])('days of the week: %s', (_, asked) => matches(asked));

test('edges are widened to hours where there are hours, otherwise to days', async () => {
  const range = async (asked: Asked) => {
    const { from, to, resolution } = await cubes.ask(question(asked));
    return [new Date(from).toISOString(), new Date(to).toISOString(), resolution];
  };
  expect(await range({ from: at('2026-03-10T08:59:59Z'), to: at('2026-03-12T08:00:01Z') })).toEqual([
    '2026-03-10T08:00:00.000Z', '2026-03-12T09:00:00.000Z', 'hour',
  ]); // prettier-ignore
  expect(await range({ from: at('2025-03-10T08:59:59Z'), to: at('2026-03-12T08:00:00Z') })).toEqual([
    '2025-03-10T00:00:00.000Z', '2026-03-12T08:00:00.000Z', 'hour',
  ]); // prettier-ignore
  expect(await range({ from: at('2025-03-10T08:00Z'), to: at('2025-03-10T09:00Z') })).toEqual([
    '2025-03-10T00:00:00.000Z', '2025-03-11T00:00:00.000Z', 'day',
  ]); // prettier-ignore
  expect(await range({ from: at('2026-03-10T08:59:59Z'), to: at('2026-03-12T08:00Z'), interval: 'week' })).toEqual([
    '2026-03-10T00:00:00.000Z', '2026-03-13T00:00:00.000Z', 'day',
  ]); // prettier-ignore
});

test('intervals without anything are left out, or 0 as far as they have begun', async () => {
  const asked = { from: at('2026-03-15'), to: at('2026-03-16'), interval: 'hour', filters: { organization: 'nobody' } } as const; // prettier-ignore
  expect(await rowsIn(await cubes.ask(question({ ...asked })))).toEqual([]);
  const filled = await rowsIn(await cubes.ask(question({ ...asked, fill: true })));
  expect(filled).toEqual(
    Array.from({ length: 11 }, (_, hour) => ({ time: at('2026-03-15') + hour * 3_600_000, values: [], value: 0 })),
  );
  const byName = await rowsIn(await cubes.ask(question({ ...asked, filters: {}, by: ['client'], fill: true })));
  expect(byName.length).toBe(11 * (await cubes.ask(question({ ...asked, filters: {}, by: ['client'] }))).groups);
});

test('what never was is nothing, and no mistake', async () => {
  const nothing = { total: 0, anonymous: 0, other: 0 };
  const of = async (asked: Asked) => {
    const { total, anonymous, other, groups, ...answer } = await cubes.ask(question(asked));
    return [{ total, anonymous, other }, groups, await rowsIn(answer as Awaited<ReturnType<Cubes['ask']>>)];
  };
  expect(await of({ by: ['organization'], from: at('2026-03-16'), to: at('2026-03-20') })).toEqual([nothing, 0, []]);
  expect(await of({ from: at('2026-03-16'), to: at('2026-03-20') })).toEqual([nothing, 1, [{ values: [], value: 0 }]]);
  expect(await of({ by: ['organization'], weekdays: [2], from: at('2026-03-11'), to: at('2026-03-12') })).toEqual([nothing, 0, []]); // prettier-ignore
  expect(await of({ by: ['organization'], filters: { organization: 'nobody' } })).toEqual([nothing, 0, []]);
});

test('the anonymous share is told wherever a group tells it', async () => {
  const anonymous = async (asked: Asked) => (await cubes.ask(question(asked))).anonymous;
  const expected = countedByHand(events, question({}), at('2026-03-08T10:00Z'), at('2026-03-15T11:00Z')).anonymous;
  expect(expected).toBeGreaterThan(0);
  expect(await anonymous({})).toBe(expected);
  expect(await anonymous({ by: ['client'] })).toBe(expected);
  expect(await anonymous({ filters: { organization: null } })).toBe(expected);
  expect(await anonymous({ filters: { organization: 'a.example' } })).toBe(0);
  expect(await anonymous({ filters: { client: 'helm' } })).toBeUndefined();
});

test.each<[Asked, RegExp]>([
  [{ statistic: 'none' }, /^statistic: there is none of this name/],
  [{ measure: 'toString' }, /^measure: visits has no toString; allowed: visits, bytes$/],
  [{ by: ['client', 'platform'] }, /^by: client, platform are not kept together; allowed: .*organization\+platform/],
  [{ by: ['client'], filters: { platform: 'x' } }, /^by: client, platform are not kept together/],
  [{ by: ['client', 'client'] }, /^by: names a dimension twice/],
  [{ filters: { client: '' } }, /^client: .*must not be empty/],
  [{ filters: { client: '\ud800' } }, /^client: .*well-formed/],
  [{ to: now - 7 * day }, /^to: is not after from/],
  [{ from: now - 801 * day }, /^from: days are kept for 800 days; allowed: from 2024-01-05T00:00:00Z on$/],
  [{ from: now - 17 * day, interval: 'hour' }, /^from: hours are kept for 15 days; allowed: from 2026-02-28T00:00:00Z on/],
  [{ to: now + 400 * day }, /^to: is too far in the future; allowed: until 2027-03-16T00:00:00Z/],
  [{ top: 0 }, /^top: is not a number/],
])('%j is refused: %s', async (asked, message) => {
  await expect(cubes.ask(question(asked))).rejects.toThrow(message);
  await expect(cubes.ask(question(asked))).rejects.toBeInstanceOf(RangeError);
}); // prettier-ignore
