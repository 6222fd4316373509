import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import type { Plugins } from './batch';
import { createCounter, type CounterOptions } from './counter';
import { blockKey, blockOf, bucketKey, formatMember, latestKey, OTHER, parseMember } from './cube/keys';
import { nameReader } from './name';
import { startRecount } from './recount';
import { giveRedis } from './redis.test-support';
import type { Cube, Increment } from './statistic';
import { usageKeys } from './statistics/usage-keys';

/** Cubes in Redis: what is written where, once, and what is not. */

let redis: Redis;
giveRedis((client) => (redis = client));

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const today = new Date().toISOString().slice(0, 10);
const yesterday = new Date(Date.now() - DAY).toISOString().slice(0, 10);

/** Counts whatever an event says. */
const said: Cube = {
  name: 'said',
  summary: 'What events say',
  description: 'For tests.',
  measures: { events: { summary: 'Events' }, bytes: { summary: 'Bytes', unit: 'bytes' } },
  dimensions: { color: 'A color', size: 'A size' },
  groups: [['color'], ['color', 'size']],
  latest: [['color']],
  increments: ({ data }) => (data['increments'] as Increment[] | undefined) ?? [],
};

function counterOf(more: Partial<CounterOptions> = {}) {
  return createCounter({ redis, statistics: [said], prefix: '', dedupeSeconds: 1000, ...more });
}

let ids = 0;
function event(increments: unknown, { at = `${today}T12:30:00.000Z`, id = `event ${ids++}` } = {}): WeirEvent {
  return createEvent('test.said', { increments }, { source: 'test', id, time: new Date(at) });
}

const colored = (color?: string | readonly string[], measures: Increment['measures'] = { events: 1 }) =>
  [{ measures, dimensions: { color } }] as Increment[];

const keyOf = (group: readonly string[], bucket: string, measure = 'events') =>
  bucketKey('', { statistic: 'said', measure, group }, bucket);

/** A bucket: member → number. */
async function bucket(group: readonly string[], name: string, measure = 'events'): Promise<Record<string, number>> {
  return scored(keyOf(group, name, measure));
}

async function scored(key: string): Promise<Record<string, number>> {
  const found = await redis.zrange(key, 0, '-1', 'WITHSCORES');
  return Object.fromEntries(found.flatMap((member, at) => (at % 2 === 0 ? [[member, Number(found[at + 1])]] : [])));
}

/** Everything in the database, byte for byte. */
async function everything(): Promise<Record<string, string>> {
  const keys = (await redis.keys('*')).sort();
  const dump = async (key: string) => [key, (await redis.dumpBuffer(key))?.toString('hex')] as [string, string];
  return Object.fromEntries(await Promise.all(keys.map(dump)));
}

test('an event is in its hour and its day, in the total and in every group, once however often it comes', async () => {
  const counter = counterOf();
  const batch = [event(colored('red')), event([{ measures: { events: 1, bytes: 12 }, dimensions: { color: 'red', size: 'L' } }])];
  expect(await counter.count([...batch, ...batch])).toMatchObject({ counted: 2, duplicates: 2 });
  expect(await counter.count(batch)).toMatchObject({ counted: 0, duplicates: 2 });
  for (const name of [today, `${today}T12`]) {
    expect(await bucket([], name)).toEqual({ '': 2 });
    expect(await bucket(['color'], name)).toEqual({ red: 2 });
    expect(await bucket(['color', 'size'], name)).toEqual({ 'red/': 1, 'red/%4C': 1 });
    expect(await bucket(['color', 'size'], name, 'bytes')).toEqual({ 'red/%4C': 12 });
  }
  expect((await redis.keys('weir:cube:*')).length).toBe(12);
}); // prettier-ignore

test('many random batches with repetitions give what counting by hand gives', async () => {
  const counter = counterOf();
  const events = Array.from({ length: 4000 }, (_, n) => {
    const color = n % 7 === 0 ? undefined : `c${(n * 7919) % 60}`;
    const dimensions = { color, size: n % 3 === 0 ? ['S', 'M', 'S'] : `${n % 5}` };
    const at = new Date(Date.now() - (n % 50) * HOUR).toISOString();
    return event([{ measures: { events: 1, bytes: n % 11 === 0 ? 1 : n * 1_000_003 }, dimensions }], { at });
  });
  for (let from = 0; from < events.length; from += 300) {
    await counter.count([...events.slice(from, from + 300), ...events.slice(Math.max(0, from - 100), from + 70)]);
  }
  const byHand = new Map<string, Record<string, number>>();
  events.forEach(({ time }, n) => {
    const color = n % 7 === 0 ? undefined : `c${(n * 7919) % 60}`;
    const sizes = n % 3 === 0 ? ['S', 'M'] : [`${n % 5}`];
    for (const [measure, by] of [['events', 1], ['bytes', n % 11 === 0 ? 1 : n * 1_000_003]] as const) {
      if (by === 0) continue;
      for (const name of [time.slice(0, 10), time.slice(0, 13)]) {
        const add = (group: string[], values: (string | undefined)[]) => {
          const own = byHand.get(keyOf(group, name, measure)) ?? {};
          byHand.set(keyOf(group, name, measure), own);
          own[formatMember(values)] = (own[formatMember(values)] ?? 0) + by;
        };
        add([], []);
        add(['color'], [color]);
        for (const size of sizes) add(['color', 'size'], [color, size]);
      }
    }
  });
  expect((await redis.keys('weir:cube:*')).sort()).toEqual([...byHand.keys()].sort());
  const wrong: unknown[] = [];
  for (const [key, numbers] of byHand) {
    const found = await scored(key);
    for (const [member, number] of Object.entries(numbers)) if (found[member] !== number) wrong.push([key, member]);
    if (Object.keys(found).length !== Object.keys(numbers).length) wrong.push(key);
  }
  expect(wrong).toEqual([]);
}); // prettier-ignore

test('cubes and named counters are counted together, also of events that only one of them counts', async () => {
  const both = counterOf({ statistics: [usageKeys, said] });
  const pull = createEvent('io.weir.pull', { repository: 'a', increments: colored('red') }, { source: 'test' });
  const plain = createEvent('io.weir.pull', { repository: 'a' }, { source: 'test' });
  expect(await both.count([pull, plain, event(colored('blue')), event([])])).toMatchObject({ counted: 4 });
  expect(await redis.get(`pulls/d/${pull.time.slice(0, 10)}`)).toBe('2');
  expect(await redis.scard(`weir:seen:${pull.time.slice(0, 10)}`)).toBeGreaterThanOrEqual(2);
});

test('the last moment of a day is in it, whatever the time zone, and the first one is in the next', async () => {
  const zone = process.env['TZ'];
  process.env['TZ'] = 'Pacific/Kiritimati';
  try {
    await counterOf().count([
      event(colored('red'), { at: `${yesterday}T23:59:59.999Z` }),
      event(colored('red'), { at: `${today}T00:00:00.000Z` }),
    ]);
  } finally {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  }
  for (const name of [yesterday, today, `${yesterday}T23`, `${today}T00`]) {
    expect([name, await bucket(['color'], name)]).toEqual([name, { red: 1 }]);
  }
});

test('each bucket goes when it was said, and an hour or day that is kept no longer is not made', async () => {
  const keepDays = { hour: 2, day: 30 };
  const counter = counterOf({ statistics: [{ ...said, keepDays }] });
  const old = new Date(Date.now() - 5 * DAY).toISOString();
  const older = new Date(Date.now() - 40 * DAY).toISOString();
  expect(
    await counter.count([
      event(colored('red')),
      event(colored('red'), { at: old }),
      event(colored('red'), { at: older }),
    ]),
  ).toMatchObject({ counted: 3 });
  const midnight = Date.parse(`${today}T00:00:00Z`) / 1000;
  expect(await redis.expiretime(keyOf(['color'], `${today}T12`))).toBe(midnight + 3 * 86_400);
  expect(await redis.expiretime(keyOf(['color'], today))).toBe(midnight + 31 * 86_400);
  expect(await bucket(['color'], old.slice(0, 10))).toEqual({ red: 1 });
  expect(await redis.exists(keyOf(['color'], old.slice(0, 13)))).toBe(0);
  expect(await redis.exists(keyOf(['color'], older.slice(0, 10)))).toBe(0);
  // What is there is kept no longer for being written to again.
  await counter.count([event(colored('red'))]);
  expect(await redis.expiretime(keyOf(['color'], today))).toBe(midnight + 31 * 86_400);
});

describe('the blocks that a day is in', () => {
  const series = { statistic: 'said', measure: 'events', group: ['color'] };
  const blocksOf = (day: string) => [
    blockKey('', series, 30, blockOf(day, 30)),
    blockKey('', series, 7, blockOf(day, 7)),
  ];
  const late = new Date(Date.now() - 100 * DAY).toISOString();

  test('go when something new is counted on it, and stay when nothing is', async () => {
    const counter = counterOf();
    const first = event(colored('red'), { at: late });
    await counter.count([first]);
    const kept = [...blocksOf(new Date(Date.now() - 200 * DAY).toISOString().slice(0, 10)), blockKey('', { ...series, measure: 'bytes' }, 30, blockOf(late.slice(0, 10), 30))];
    const all = [...blocksOf(late.slice(0, 10)), ...kept];
    for (const key of all) await redis.zadd(key, 1, 'red');
    await counter.count([first]);
    expect(await redis.exists(...all)).toBe(all.length);
    await counter.count([event(colored('blue'), { at: late })]);
    expect(await redis.exists(...blocksOf(late.slice(0, 10)))).toBe(0);
    expect(await redis.exists(...kept)).toBe(kept.length);
  }); // prettier-ignore
});

describe('when there are more values than names', () => {
  test('the first ones have their numbers, the rest is one, and nothing of the total is lost', async () => {
    const counter = counterOf({ names: 3 });
    const colors = ['a', 'b', 'c', 'd', 'e', 'd', 'a'];
    await counter.count(colors.map((color) => event(colored(color))));
    for (const name of [today, `${today}T12`]) {
      expect(await bucket(['color'], name)).toEqual({ a: 2, b: 1, c: 1, [OTHER]: 3 });
      expect(await bucket([], name)).toEqual({ '': 7 });
    }
    // Who has a place keeps it; who has none gets none.
    await counter.count(['d', 'c', 'z'].map((color) => event(colored(color))));
    expect(await bucket(['color'], today)).toEqual({ a: 2, b: 1, c: 2, [OTHER]: 5 });
  });

  test('the last place is given once, and a duplicate takes none', async () => {
    const counter = counterOf({ statistics: [{ ...said, names: 2 }] });
    const first = event(colored('a'));
    await counter.count([first]);
    await counter.count([event(colored('x'), { id: 'x' }), { ...first, data: { increments: colored('other') } }]);
    await counter.count([event(colored('y'), { id: 'x' }), event(colored('z'))]);
    expect(await bucket(['color'], today)).toEqual({ a: 1, x: 1, [OTHER]: 1 });
  });

  test('a value that is called like the rest is not taken for it', async () => {
    await counterOf({ names: 1 }).count([event(colored('*')), event(colored('b'))]);
    expect(await bucket(['color'], today)).toEqual({ '%2A': 1, [OTHER]: 1 });
  });
});

test('an event of several values is one, and one of each', async () => {
  await counterOf().count([event([{ measures: { events: 1, bytes: 10 }, dimensions: { color: ['red', 'blue', 'red'], size: ['S', 'L'] } }])]);
  expect(await bucket([], today)).toEqual({ '': 1 });
  expect(await bucket(['color'], today, 'bytes')).toEqual({ red: 10, blue: 10 });
  expect(await bucket(['color', 'size'], today)).toEqual({ 'red/%53': 1, 'red/%4C': 1, 'blue/%53': 1, 'blue/%4C': 1 });
}); // prettier-ignore

test('the latest time of each value is kept, an earlier event does not set it back, and only so many are', async () => {
  const counter = counterOf({ names: 2 });
  const at = (minute: number) => ({ at: `${today}T12:${minute}:00.000Z` });
  await counter.count([event(colored('red'), at(20)), event(colored('red'), at(40)), event(colored('red'), at(30))]);
  await counter.count([event(colored('red'), at(10)), event(colored('blue'), at(15))]);
  await counter.count([event([{ ...colored('red')[0], latest: false }], at(59))]);
  const key = latestKey('', 'said', ['color']);
  const minute = (number: number) => Date.parse(at(number).at);
  expect(await scored(key)).toEqual({ red: minute(40), blue: minute(15) });
  await counter.count([event(colored('green'), at(50))]);
  expect(await scored(key)).toEqual({ red: minute(40), green: minute(50) });
});

/** Values that try to be something else, S29 of the reliability reference. */
const hostile = [
  '__proto__', 'constructor', '*', '/', '//', 'a/b', '%2F', '%', '\u0000', '\r\nSET x', 'a', 'A', 'ä', '👍', ' ', '+', ':',
  'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(10_000), `${'x'.repeat(9_999)}y`, '👍'.repeat(5_000), '\u{10ffff}',
]; // prettier-ignore

test('no value is taken for another one, whatever is in it', async () => {
  const batch = hostile.flatMap((value, at) => Array.from({ length: at + 1 }, () => event(colored(value))));
  expect(await counterOf().count(batch)).toMatchObject({ refused: [], counted: batch.length });
  const found = await bucket(['color'], today);
  expect(Object.values(found).sort((a, b) => a - b)).toEqual(hostile.map((_, at) => at + 1));
  const values = Object.keys(found).map((member) => parseMember(member, ['color'])[0] ?? '');
  expect(values.filter((value) => !hostile.includes(value)).map(({ length }) => length)).toEqual(
    hostile.filter(({ length }) => length > 255).map(() => 256),
  );
});

test('what is no text at all, or half of it, is not known', async () => {
  await counterOf().count(
    [undefined, '', 'half\ud800', '\udfff'.repeat(300), []].map((value) => event(colored(value))),
  );
  expect(await bucket(['color'], today)).toEqual({ '': 5 });
});

test('a combination is not taken for another one whose values are cut elsewhere', async () => {
  const pairs = [['a', 'b/c'], ['a/b', 'c'], ['', 'a'], ['a', ''], ['a/', ''], ['/', 'a']]; // prettier-ignore
  await counterOf().count(
    pairs.map(([color, size]) => event([{ measures: { events: 1 }, dimensions: { color, size } }])),
  );
  expect(Object.values(await bucket(['color', 'size'], today))).toEqual(pairs.map(() => 1));
});

test.each<[string, unknown, RegExp]>([
  ['a fraction', colored('red', { events: 0.5 }), /said counts by 0.5, not by a whole number/],
  ['more than a number can tell', colored('red', { bytes: 2 ** 53 }), /said counts by 9007199254740992, not by a whole/],
  ['text', colored('red', { events: '1' as unknown as number }), /said counts by 1, not by a whole number/],
  ['a measure that it does not have', colored('red', { toString: 1 }), /said has no measure toString/],
  ['a dimension that it does not have', [{ measures: { events: 1 }, dimensions: { taste: 'x' } }], /said has no dimension taste/],
  ['a number as a value', [{ measures: { events: 1 }, dimensions: { color: 7 } }], /said gives no text for color/],
  ['no list', 7, /said gives no list of increments/],
  ['too many increments', Array.from({ length: 51 }, () => colored('red')[0]), /more than 50 increments/],
  ['too many values', colored(Array.from({ length: 65 }, (_, n) => `${n}`)), /more than 64 of color/],
])('an event of which a cube says %s is refused with the reason, and the others are counted', async (_, increments, reason) => {
  const counter = counterOf();
  const bad = event(increments);
  const { counted, refused } = await counter.count([event(colored('red')), bad, event(colored('red'))]);
  expect([counted, refused.map((found) => found.event)]).toEqual([2, [bad]]);
  expect(refused[0]?.reason).toMatch(reason);
  expect(await bucket([], today)).toEqual({ '': 2 });
}); // prettier-ignore

describe('a plug-in', () => {
  const failures: [string, string][] = [];
  const plugins = (increments: Cube['increments']): Plugins => ({
    cubes: [{ ...said, name: 'foreign', increments }],
    failed: (cube, error) => failures.push([cube.name, error.message]),
  });
  beforeEach(() => (failures.length = 0));
  const ofForeign = () => scored(bucketKey('', { statistic: 'foreign', measure: 'events', group: [] }, today));

  test('counts as the others do', async () => {
    await counterOf({ plugins: plugins(() => colored('red')) }).count([event(colored('blue')), event([])]);
    expect([await ofForeign(), await bucket([], today)]).toEqual([{ '': 2 }, { '': 1 }]);
  });

  test.each<[string, () => unknown, RegExp]>([
    ['throws', () => { throw new Error('sorry'); }, /sorry/],
    ['throws nothing', () => { throw undefined; }, /undefined/],
    ['returns nothing', () => undefined, /undefined/],
    ['returns a promise', () => Promise.resolve([]), /no list of increments/],
    ['returns nonsense', () => ['x'], /./],
    ['returns null', () => [null], /./],
    ['counts what it does not have', () => colored('red', { x: 1 }), /foreign has no measure x/],
    ['never ends to count', () => Array.from({ length: 1000 }, () => colored('red')[0]), /more than 50/],
  ])('that %s counts nothing of the event, is told, and takes nobody along', async (_, increments, message) => {
    const counter = counterOf({ plugins: plugins(increments as Cube['increments']) });
    expect(await counter.count([event(colored('red')), event(colored('red'))])).toEqual({ counted: 2, duplicates: 0, refused: [] });
    expect(await bucket([], today)).toEqual({ '': 2 });
    expect(await ofForeign()).toEqual({});
    expect(failures.map(([name]) => name)).toEqual(['foreign', 'foreign']);
    expect(failures[0]?.[1]).toMatch(message);
  }); // prettier-ignore
});

test('arrays that come again count as fresh ones do', async () => {
  const constants = [colored('red'), colored('blue', { events: 3 })];
  const counter = counterOf({
    statistics: [{ ...said, increments: ({ data }) => constants[data['at'] as number] ?? [] }],
  });
  const of = (at: number, n: number) =>
    createEvent('test', { at }, { source: 'test', id: `${n}`, time: new Date(`${today}T12:00:00Z`) });
  for (let from = 0; from < 40; from += 10) {
    await counter.count(Array.from({ length: 10 }, (_, n) => of((from + n) % 3, from + n)));
  }
  expect(await bucket(['color'], today)).toEqual({ red: 14, blue: 39 });
});

test.each<[string, string, (key: string) => Promise<unknown>, RegExp]>([
  ['text for an hour', keyOf(['color'], `${today}T12`), (key) => redis.set(key, 'x'), /holds a string, not a zset/],
  ['a hash for a day', keyOf([], today), (key) => redis.hset(key, 'a', 1), /holds a hash, not a zset/],
  ['a list for the latest', latestKey('', 'said', ['color']), (key) => redis.rpush(key, 'x'), /holds a list, not a zset/],
])('a batch that meets %s is not counted at all, and is counted once the key is gone', async (_, key, spoil, message) => {
  const counter = counterOf();
  const batch = [event(colored('red')), event(colored('blue'))];
  await spoil(key);
  const before = await everything();
  await expect(counter.count(batch)).rejects.toThrow(message);
  await expect(counter.count(batch)).rejects.toThrow(key);
  expect(await everything()).toEqual(before);
  await redis.del(key);
  expect(await counter.count(batch)).toMatchObject({ counted: 2 });
  expect(await bucket(['color'], today)).toEqual({ red: 1, blue: 1 });
}); // prettier-ignore

test('a batch whose answer is lost, or that finds the memory full, counts once in the end', async () => {
  const counter = counterOf();
  const batch = Array.from({ length: 500 }, (_, n) => event(colored(`c${n % 9}`, { events: 1, bytes: n })));
  await redis.config('SET', 'maxmemory', '1');
  await expect(counter.count(batch)).rejects.toThrow(/OOM/);
  await redis.config('SET', 'maxmemory', '0');
  expect(await redis.dbsize()).toBe(0);
  const cut = redis.duplicate();
  const lost = createCounter({ redis: cut, statistics: [said], prefix: '', dedupeSeconds: 1000 }).count(batch);
  cut.disconnect();
  await lost.catch(() => {});
  await counter.count(batch);
  await counterOf().count(batch);
  expect(await bucket([], today)).toEqual({ '': 500 });
  expect(await bucket([], today, 'bytes')).toEqual({ '': (499 * 500) / 2 });
});

test('the keys of a recount go by themselves, and their names are known', async () => {
  const recount = await startRecount({ redis, prefix: '', statistics: [said], names: 2 });
  await recount.count(['a', 'b', 'c'].map((color) => event(colored(color))));
  const keys = await redis.keys(`${recount.prefix}weir:cube*`);
  expect(keys.length).toBe(7);
  for (const key of keys) expect([key, (await redis.ttl(key)) > 3 * 86_400 - 100, (await redis.ttl(key)) <= 3 * 86_400]).toEqual([key, true, true]);
  const read = nameReader([said]);
  expect(keys.map((key) => read(key.slice(recount.prefix.length)).kind).sort()).toEqual([...Array.from({ length: 6 }, () => 'bucket'), 'latest']);
  expect(await scored(recount.prefix + keyOf(['color'], today))).toEqual({ a: 1, b: 1, [OTHER]: 1 });
  await recount.remove();
}); // prettier-ignore

test('names of what cubes are kept in are told from everything else', () => {
  const read = nameReader([said]);
  const series = { statistic: 'said', measure: 'events', group: ['color', 'size'] };
  const own = { kind: 'bucket', series: 'said:events:color+size' };
  expect(read(bucketKey('', series, '2026-11-28'))).toEqual({ ...own, resolution: 'day', day: '2026-11-28' });
  expect(read(bucketKey('', series, '2026-11-28T23'))).toEqual({ ...own, resolution: 'hour', day: '2026-11-28' });
  expect(read(bucketKey('', { ...series, group: [] }, '2026-11-28'))).toMatchObject({ series: 'said:events:' });
  expect(read(blockKey('', series, 30, 60))).toEqual({ kind: 'block' });
  expect(read(latestKey('', 'said', ['color']))).toEqual({ kind: 'latest' });
  const strange = [
    'weir:cube:said:events:color+size:2026-13-28',
    'weir:cube:said:events:color+size:2026-11-28:',
    'weir:cube:said:events:size:2026-11-28',
    'weir:cube:other:events::2026-11-28',
    'weir:cube-latest:said:size',
    'weir:cube-block:said:events:color',
    'weir:cube',
    'weir:cubes:said:events::2026-11-28',
  ];
  expect(strange.map((name) => read(name).kind)).toEqual(strange.map(() => 'other'));
});

test('a cube that groups by what it does not have is refused when the counter is made', () => {
  expect(() => counterOf({ statistics: [{ ...said, groups: [['taste']] }] })).toThrow(/said has no dimension taste/);
});

test('more different values than are remembered are counted right', async () => {
  const counter = counterOf({ names: 100 });
  for (let from = 0; from < 40_000; from += 5000) {
    await counter.count(Array.from({ length: 5000 }, (_, n) => event(colored(`c${from + n}`))));
  }
  expect(await bucket([], today)).toEqual({ '': 40_000 });
  expect(await redis.zscore(keyOf(['color'], today), OTHER)).toBe('39900');
});
