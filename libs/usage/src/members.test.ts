import { createHash } from 'node:crypto';
import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter, HeldError, type Counter } from './counter';
import { takeHold } from './hold';
import { giveRedis } from './redis.test-support';
import { startRecount } from './recount';
import type { Distinct, Statistic } from './statistic';
import { sources } from './statistics/sources';
import { usageKeys } from './statistics/usage-keys';
import { createStoreId } from './store-id';

/** Distinct members in Redis: what is written, when, and what is not. */

let redis: Redis;
let counter: Counter;

const statistics = [usageKeys, sources];
const KEEP_DAYS = 400;
const today = new Date().toISOString().slice(0, 10);

giveRedis((client) => (redis = client));
beforeEach(() => {
  counter = create();
});

function create({ namesADay = 1000, kept = statistics, storeId }: { namesADay?: number; kept?: readonly Statistic[]; storeId?: () => string } = {}) {
  const distinct = { keepDays: KEEP_DAYS, namesADay };
  const guarded = storeId === undefined ? {} : { storeId };
  return createCounter({ redis, statistics: kept, prefix: '', dedupeSeconds: 1000, distinct, ...guarded });
} // prettier-ignore

/** A pull of a source, whose pseudonyms are the same on every day here. */
function pull(source: number, { day = today, id, ...data }: { day?: string; id?: string; [name: string]: unknown } = {}): WeirEvent {
  const hash = createHash('sha256').update(`${source}`).digest('hex');
  const origin = { source: 'test', time: new Date(`${day}T12:00:00Z`), ...(id === undefined ? {} : { id }) };
  const said = { day: hash.slice(0, 22), month: hash.slice(-6) };
  return createEvent('io.weir.pull', { repository: 'library/alpine', source: said, ...data }, origin);
} // prettier-ignore

const distinctKeys = async () => (await redis.keys('weir:distinct*')).sort();
const ofAll = (day = today) => redis.pfcount(`weir:distinct:sources:day/d/${day}`);
const ofRepository = (name: string) => redis.pfcount(`weir:distinct:sources:day/repository/${encodeURIComponent(name)}/d/${today}`); // prettier-ignore
const leftOut = (of: string) => redis.pfcount(`weir:distinct-left-out:sources:day/of/${of}/d/${today}`);
const many = (count: number, make: (n: number) => WeirEvent) => Array.from({ length: count }, (_, n) => make(n));

/** Everything in the database, byte for byte. */
async function everything(): Promise<Record<string, string>> {
  const keys = (await redis.keys('*')).sort();
  const dump = async (key: string) => [key, (await redis.dumpBuffer(key))?.toString('hex')] as [string, string];
  return Object.fromEntries(await Promise.all(keys.map(dump)));
}

test('ten pulls of one source are one, ten sources are ten; the pulls are counted as ever', async () => {
  await counter.count(many(10, () => pull(1)));
  expect([await ofAll(), await redis.get(`pulls/d/${today}`)]).toEqual([1, '10']);
  await counter.count(many(10, (n) => pull(n)));
  expect([await ofAll(), await redis.get(`pulls/d/${today}`)]).toEqual([10, '20']);
});

test('a pull of a known organization is in six sets, each kept for as long as it was told', async () => {
  await counter.count([pull(1, { user: { organization: 'Acme/Ops' } })]);
  const sets = ['day', 'month'].flatMap((by) => [
    `weir:distinct:sources:${by}/d/${today}`,
    `weir:distinct:sources:${by}/organization/acme%2Fops/d/${today}`,
    `weir:distinct:sources:${by}/repository/library%2Falpine/d/${today}`,
  ]);
  const taken = ['day', 'month'].flatMap((by) => [
    `weir:distinct-taken:sources:${by}/of/organization/d/${today}`,
    `weir:distinct-taken:sources:${by}/of/repository/d/${today}`,
  ]);
  expect(await distinctKeys()).toEqual([...taken, ...sets].sort());
  expect(await Promise.all(sets.map((key) => redis.pfcount(key)))).toEqual(sets.map(() => 1));
  expect(await redis.mget(taken)).toEqual(['1', '1', '1', '1']);
  const end = Date.parse(`${today}T00:00:00Z`) / 1000 + (KEEP_DAYS + 1) * 86_400;
  for (const key of [...sets, ...taken]) expect([key, await redis.expiretime(key)]).toEqual([key, end]);
});

test('a day that is kept no longer leaves nothing behind, and its pulls are counted', async () => {
  const old = new Date(Date.now() - (KEEP_DAYS + 2) * 86_400_000).toISOString().slice(0, 10);
  expect(await counter.count([pull(1, { day: old })])).toMatchObject({ counted: 1 });
  expect(await distinctKeys()).toEqual([]);
});

test('pulls that do not say where they came from, and other events, are in no set', async () => {
  const anonymous = { repository: 'library/alpine' };
  const made = (type: string, data: Record<string, unknown>) => createEvent(type, data, { source: 'test' });
  const batch = [
    made('io.weir.pull', anonymous),
    made('io.weir.pull', { ...anonymous, source: {} }),
    made('io.weir.pull', { ...anonymous, source: { month: 'not-hex' } }),
    made('io.weir.check', pull(1).data),
    made('io.weir.download', pull(1).data),
  ];
  expect(await counter.count(batch)).toMatchObject({ counted: 5, refused: [] });
  expect(await distinctKeys()).toEqual([]);
});

test('duplicates and batches that come again change no set', async () => {
  const dumps = async () => (await Promise.all((await distinctKeys()).map((key) => redis.dumpBuffer(key)))).map(String);
  const batch = many(200, (n) => pull(n, { id: `${n}` }));
  await counter.count(batch);
  const before = await dumps();
  expect(await counter.count([...batch, ...batch.slice(50)])).toMatchObject({ counted: 0, duplicates: 350 });
  expect((await dumps()).map((dump, at) => dump === before[at])).toEqual(before.map(() => true));
  expect(await ofAll()).toBe(200);
});

test('a batch may have more members of one set than Lua can unpack at once', async () => {
  await counter.count(many(10_000, (n) => pull(n)));
  expect(Math.abs((await ofRepository('library/alpine')) - 10_000)).toBeLessThan(400);
});

test.each<[string, string, (key: string) => Promise<unknown>, RegExp]>([
  ['a number for the sources of all', `weir:distinct:sources:day/d/${today}`, (key) => redis.set(key, '7'), /holds text, not a HyperLogLog/],
  ['an empty text for those of a repository', `weir:distinct:sources:month/repository/library%2Falpine/d/${today}`, (key) => redis.set(key, ''), /holds text, not a HyperLogLog/],
  ['a list for those of an organization', `weir:distinct:sources:day/organization/a.org/d/${today}`, (key) => redis.rpush(key, 'x'), /holds a list, not a HyperLogLog/],
  ['a set for what was left out', `weir:distinct-left-out:sources:day/of/repository/d/${today}`, (key) => redis.sadd(key, 'x'), /holds a set, not a HyperLogLog/],
  ['a word for how many there are', `weir:distinct-taken:sources:day/of/repository/d/${today}`, (key) => redis.set(key, 'some'), /holds text, or a number/],
])('a batch that meets %s is not counted at all, and is counted once the key is gone', async (_, key, spoil, message) => {
  const batch = many(3, (n) => pull(n, { user: { organization: 'a.org' } }));
  await spoil(key);
  const before = await everything();
  await expect(counter.count(batch)).rejects.toThrow(message);
  expect(await everything()).toEqual(before);
  await redis.del(key);
  expect(await counter.count(batch)).toMatchObject({ counted: 3 });
  expect([await ofAll(), await redis.get(`pulls/d/${today}`)]).toEqual([3, '3']);
}); // prettier-ignore

test('a batch that finds the memory full adds no member', async () => {
  await counter.count([pull(1)]);
  const before = await everything();
  await redis.config('SET', 'maxmemory', '1');
  await expect(counter.count([pull(1), pull(2, { repository: 'other' })])).rejects.toThrow(/OOM/);
  await redis.config('SET', 'maxmemory', '0');
  expect(await everything()).toEqual(before);
});

test('while the counters are held no member is added either', async () => {
  const store = createStoreId({ redis, prefix: '' });
  await store.learn();
  const guarded = create({ storeId: store.value });
  const hold = await takeHold({ redis, prefix: '' });
  await expect(guarded.count([pull(1)])).rejects.toThrow(HeldError);
  expect(await distinctKeys()).toEqual([]);
  await hold.release();
  await guarded.count([pull(1)]);
  expect(await ofAll()).toBe(1);
});

describe('when there are more repositories than have a place', () => {
  const named = (n: number, more = {}) => pull(n, { repository: `r/${n}`, ...more });

  test('the first ones have sets, the others are left out and counted as such, and all sources are in the total', async () => {
    const few = create({ namesADay: 3 });
    await few.count(many(10, (n) => named(n)));
    expect([await ofRepository('r/2'), await ofRepository('r/3')]).toEqual([1, 0]);
    expect([await ofAll(), await leftOut('repository'), await leftOut('organization')]).toEqual([10, 7, 0]);
    expect(await redis.get(`weir:distinct-taken:sources:day/of/repository/d/${today}`)).toBe('3');
    // Who has a place keeps it; who has none gets none, however often it comes.
    await few.count([named(2), named(9), pull(77, { repository: 'r/2' }), named(11)]);
    expect([await ofRepository('r/2'), await ofRepository('r/9')]).toEqual([2, 0]);
    expect([await ofAll(), await leftOut('repository')]).toEqual([12, 8]);
  });

  test('organizations have places of their own, and so has the next day', async () => {
    const few = create({ namesADay: 2 });
    await few.count(many(5, (n) => named(n, { user: { organization: `org${n}` } })));
    expect([await leftOut('repository'), await leftOut('organization')]).toEqual([3, 3]);
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    await few.count([named(4, { day: tomorrow })]);
    expect(await redis.pfcount(`weir:distinct:sources:day/repository/r%2F4/d/${tomorrow}`)).toBe(1);
  });

  test('keys grow no further than to the places, whatever clients name', async () => {
    const few = create({ namesADay: 5 });
    await few.count(many(20, (n) => named(n)));
    const before = (await distinctKeys()).length;
    for (let from = 100; from < 5000; from += 700) await few.count(many(700, (n) => named(from + n)));
    expect((await distinctKeys()).length).toBe(before);
    expect(Math.abs((await leftOut('repository')) - 4915)).toBeLessThan(200);
  });
});

test('names make keys of their own, whatever is in them', async () => {
  const names = ['a/d/2026-01-01', 'a', 'A', 'a%2fd', 'ä*', 'day/d/2026-01-01'];
  await counter.count(names.flatMap((repository, at) => many(at + 1, (n) => pull(n, { repository }))));
  const keys = (await distinctKeys()).filter((key) => key.startsWith('weir:distinct:sources:day/repository/'));
  const sizes = await Promise.all(keys.map((key) => redis.pfcount(key)));
  expect(sizes.sort()).toEqual([1, 2, 3, 4, 5, 6]);
});

test('an event whose members cannot be told is refused with the reason, and nothing of it is counted', async () => {
  const broken: Distinct = {
    name: 'broken',
    summary: 'Nothing',
    description: 'Throws.',
    members: ({ data }) => {
      if (data['repository'] === 'bad') throw new Error('no members here');
      return [];
    },
  };
  const bad = pull(1, { repository: 'bad' });
  const { counted, refused } = await create({ kept: [...statistics, broken] }).count([pull(1), bad]);
  expect([counted, refused]).toEqual([1, [{ event: bad, reason: 'cannot be counted: no members here' }]]);
  const half = pull(1, { repository: 'half\ud800' });
  expect(await counter.count([half])).toMatchObject({ counted: 0, refused: [{ event: half }] });
  expect(await redis.get(`pulls/d/${today}`)).toBe('1');
});

test('a statistic of members only adds them, and the events are remembered', async () => {
  const visitors: Distinct = {
    name: 'visitors',
    summary: 'Who looked',
    description: 'Users that looked at anything.',
    members: ({ type, data }) =>
      type === 'io.weir.view' ? [{ member: String(data['who']), sets: [{ measure: 'users', dimensions: {} }] }] : [],
  };
  const view = (who: string) => createEvent('io.weir.view', { who }, { source: 'test' });
  const both = create({ kept: [...statistics, visitors] });
  expect(await both.count([view('ada'), view('bob'), view('ada')])).toEqual({ counted: 3, duplicates: 0, refused: [] });
  expect(await redis.pfcount(`weir:distinct:visitors:users/d/${today}`)).toBe(2);
  expect(await redis.scard(`weir:seen:${today}`)).toBe(3);
});

test('a recount counts no members; sets that were lost come back when the events are sent again', async () => {
  const events = many(50, (n) => pull(n));
  await counter.count(events);
  const recount = await startRecount({ redis, prefix: '', statistics });
  await recount.count(events);
  expect((await redis.keys(`${recount.prefix}*`)).filter((key) => key.includes('distinct'))).toEqual([]);
  await recount.remove();
  await redis.del(await distinctKeys());
  expect(await counter.count(events.slice(0, 30))).toMatchObject({ counted: 0, duplicates: 30 });
  expect([await ofAll(), await redis.get(`pulls/d/${today}`)]).toEqual([30, '50']);
});
