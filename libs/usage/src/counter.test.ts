import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter, type Counter } from './counter';
import { parseKey } from './keys';
import { giveRedis } from './redis.test-support';
import { usageKeys } from './statistics/usage-keys';

let redis: Redis;
let counter: Counter;

const DEDUPE_SECONDS = 32 * 86_400;
const statistics = [usageKeys];
const noon = Date.UTC(2024, 3, 23, 12);

giveRedis((client) => (redis = client));
beforeEach(() => {
  counter = createCounter({ redis, statistics, prefix: '', dedupeSeconds: DEDUPE_SECONDS });
});

function pull(organization?: string, { id, at = noon, ...data }: Record<string, unknown> & { id?: string; at?: number } = {}): WeirEvent {
  const user = organization === undefined ? {} : { user: { organization } };
  const origin = { source: 'test', time: new Date(at), ...(id === undefined ? {} : { id }) };
  return createEvent('io.weir.pull', { repository: 'library/alpine', platform: 'linux/amd64', ...user, ...data }, origin);
} // prettier-ignore

/** Every counter there is, by its key; what Weir keeps for itself is left out. */
async function usage(prefix = ''): Promise<Record<string, number>> {
  const keys = (await redis.keys(`${prefix}*`)).filter((key) => !key.startsWith(`${prefix}weir:`)).sort();
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, Number(await redis.get(key))])));
}

/** Everything in the database, byte for byte. */
async function everything(): Promise<Record<string, string>> {
  const keys = (await redis.keys('*')).sort();
  const dump = async (key: string) => [key, (await redis.dumpBuffer(key))?.toString('hex')] as [string, string];
  return Object.fromEntries(await Promise.all(keys.map(dump)));
}

const sevenKeys = (organization: string, count: number) => ({
  'pulls/a/amd64': count,
  'pulls/a/amd64/d/2024-04-23': count,
  'pulls/d/2024-04-23': count,
  [`pulls/o/${organization}`]: count,
  [`pulls/o/${organization}/a/amd64`]: count,
  [`pulls/o/${organization}/a/amd64/d/2024-04-23`]: count,
  [`pulls/o/${organization}/d/2024-04-23`]: count,
});

test('a pull is counted under exactly the keys of seed 000 and no other', async () => {
  expect(await counter.count([pull('seqera.io')])).toEqual({ counted: 1, duplicates: 0, refused: [] });
  expect(await usage()).toEqual(sevenKeys('seqera.io', 1));
  expect((await redis.keys('weir:*')).sort()).toEqual(['weir:organizations:pulls', 'weir:seen:2024-04-23']);
});

test('the same event is counted once, in one batch and in several', async () => {
  const event = pull('seqera.io', { id: 'one' });
  expect(await counter.count([event, event, { ...event }])).toMatchObject({ counted: 1, duplicates: 2 });
  expect(await counter.count([event])).toMatchObject({ counted: 0, duplicates: 1 });
  expect(await counter.count([pull('seqera.io', { id: 'two' }), event])).toMatchObject({ counted: 1, duplicates: 1 });
  expect(await usage()).toEqual(sevenKeys('seqera.io', 2));
});

test('an event that comes again with other content is still the same event, and the first stands', async () => {
  await counter.count([pull('first.org', { id: 'one' })]);
  expect(await counter.count([pull('second.org', { id: 'one' })])).toMatchObject({ counted: 0, duplicates: 1 });
  expect(await usage()).toEqual(sevenKeys('first.org', 1));
});

test('a batch that was prepared ahead counts once, whatever was counted in between, and is read once', async () => {
  let read = 0;
  const steps: typeof usageKeys.steps = (event) => {
    read += 1;
    return usageKeys.steps(event);
  };
  counter = createCounter({ redis, statistics: [{ ...usageKeys, steps }], prefix: '', dedupeSeconds: DEDUPE_SECONDS });
  const [one, two, three] = [pull('seqera.io'), pull('seqera.io'), pull('seqera.io')];
  const batch = [two, three];
  counter.ahead(batch);
  expect(await counter.count([one])).toMatchObject({ counted: 1, duplicates: 0 });
  expect(await counter.count(batch)).toMatchObject({ counted: 2, duplicates: 0 });
  expect(read).toBe(3);
  expect(await counter.count(batch)).toMatchObject({ counted: 0, duplicates: 2 });
  const overlapping = [three, pull('seqera.io')];
  counter.ahead(overlapping);
  expect(await counter.count(overlapping)).toMatchObject({ counted: 1, duplicates: 1 });
  expect(await usage()).toEqual(sevenKeys('seqera.io', 4));
});

test('the same id from another source is another event', async () => {
  const event = pull('seqera.io', { id: 'one' });
  expect(await counter.count([event, { ...event, source: 'other' }])).toMatchObject({ counted: 2, duplicates: 0 });
});

test('an empty batch does not touch Redis; an event that nothing counts is remembered', async () => {
  expect(await counter.count([])).toEqual({ counted: 0, duplicates: 0, refused: [] });
  expect(await redis.dbsize()).toBe(0);
  const check = createEvent('io.weir.check', { repository: 'a' }, { source: 'test' });
  expect(await counter.count([check])).toEqual({ counted: 1, duplicates: 0, refused: [] });
  expect(await counter.count([check])).toEqual({ counted: 0, duplicates: 1, refused: [] });
  expect(await redis.keys('*')).toEqual([expect.stringMatching(/^weir:seen:/)]);
});

test('many random batches with repetitions give what counting by hand gives', async () => {
  const events = Array.from({ length: 3000 }, (_, n) =>
    pull(n % 5 === 0 ? undefined : `org${(n * 7919) % 40}`, {
      id: `event ${n}`,
      at: noon + (n % 3) * 86_400_000,
      fusion: n % 4 === 0,
      platforms: ['linux/amd64', 'linux/arm/v7', 'linux/arm64', 'linux/aarch64'].slice(n % 4),
    }),
  );
  for (let from = 0; from < events.length; from += 250) {
    await counter.count([...events.slice(from, from + 250), ...events.slice(Math.max(0, from - 100), from + 50)]);
  }

  const byHand: Record<string, number> = {};
  const add = (key: string) => (byHand[key] = (byHand[key] ?? 0) + 1);
  events.forEach((event, n) => {
    const day = event.time.slice(0, 10);
    const org = n % 5 === 0 ? undefined : `org${(n * 7919) % 40}`;
    const arches = [['amd64', 'arm', 'arm64'], ['arm', 'arm64'], ['arm64'], ['arm64']][n % 4] ?? [];
    for (const metric of n % 4 === 0 ? ['pulls', 'fusion'] : ['pulls']) {
      add(`${metric}/d/${day}`);
      if (org) [`${metric}/o/${org}`, `${metric}/o/${org}/d/${day}`].forEach(add);
      for (const arch of arches) {
        [`${metric}/a/${arch}`, `${metric}/a/${arch}/d/${day}`].forEach(add);
        if (org) [`${metric}/o/${org}/a/${arch}`, `${metric}/o/${org}/a/${arch}/d/${day}`].forEach(add);
      }
    }
  });
  expect(await usage()).toEqual(byHand);
  expect(Object.keys(byHand).filter((key) => !parseKey(key))).toEqual([]);
});

test('a batch may be larger than what Lua can unpack at once', async () => {
  const many = Array.from({ length: 9000 }, (_, n) => pull(`org${n}`));
  expect(await counter.count(many)).toMatchObject({ counted: 9000 });
  expect(await redis.zcard('weir:organizations:pulls')).toBe(9000);
  const alike = Array.from({ length: 9500 }, () => pull('one.org'));
  expect(await counter.count([...alike, ...alike])).toMatchObject({ counted: 9500, duplicates: 9500 });
  expect(await redis.get('pulls/d/2024-04-23')).toBe('18500');
  expect(await redis.get('pulls/o/one.org')).toBe('9500');
});

test('the organizations of each metric are kept, sorted by name, so that reading needs no scan', async () => {
  await counter.count([pull('b.org'), pull('a.org', { fusion: true }), pull('b.org'), pull(), pull('ö/*')]);
  expect(await redis.zrange('weir:organizations:pulls', '0', '-1')).toEqual(['a.org', 'b.org', 'ö/*']);
  expect(await redis.zrange('weir:organizations:fusion', '0', '-1')).toEqual(['a.org']);
});

test('identities are kept for the dedupe window after the last new event of their day; counters for ever', async () => {
  const event = pull('seqera.io');
  await counter.count([event]);
  await redis.expire('weir:seen:2024-04-23', 100);
  await counter.count([event]);
  expect(await redis.ttl('weir:seen:2024-04-23')).toBeLessThanOrEqual(100);
  await counter.count([pull('seqera.io')]);
  expect(await redis.ttl('weir:seen:2024-04-23')).toBeGreaterThan(DEDUPE_SECONDS - 100);
  expect(await redis.ttl('pulls/d/2024-04-23')).toBe(-1);
  expect((await redis.smembersBuffer('weir:seen:2024-04-23')).map(({ length }) => length)).toEqual([16, 16]);
});

test('a prefix stands in front of every key', async () => {
  const prefixed = createCounter({ redis, statistics, prefix: 'prod:', dedupeSeconds: DEDUPE_SECONDS });
  await prefixed.count([pull('seqera.io')]);
  expect((await redis.keys('*')).filter((key) => !key.startsWith('prod:'))).toEqual([]);
  expect(Object.keys(await usage('prod:'))).toEqual(Object.keys(sevenKeys('seqera.io', 1)).map((key) => `prod:${key}`));
});

test.each([
  ['a hash', 'pulls/o/b.org', (key: string) => redis.hset(key, 'field', 1), /pulls\/o\/b\.org holds a hash, not a counter/],
  ['text', 'pulls/o/b.org', (key: string) => redis.set(key, 'many'), /pulls\/o\/b\.org holds text, or a number of more than 18 digits, not a counter/],
  ['a number with zeros in front', 'pulls/o/b.org', (key: string) => redis.set(key, '007'), /holds text, or a number of more than 18 digits, not a counter/],
  ['a number that is full', 'pulls/o/b.org', (key: string) => redis.set(key, '9223372036854775807'), /holds text, or a number of more than 18 digits, not a counter/],
  ['a list for its identities', 'weir:seen:2024-04-23', (key: string) => redis.rpush(key, 'x'), /holds a list, not a set/],
  ['a set for its organizations', 'weir:organizations:pulls', (key: string) => redis.sadd(key, 'x'), /holds a set, not a zset/],
])('a batch that meets %s is not counted at all, and is counted once the key is gone', async (_, key, spoil, message) => {
  const batch = [pull('a.org'), pull('b.org'), pull('c.org')];
  await spoil(key);
  const before = await everything();
  await expect(counter.count(batch)).rejects.toThrow(message);
  expect(await everything()).toEqual(before);
  await redis.del(key);
  expect(await counter.count(batch)).toMatchObject({ counted: 3 });
  expect(await redis.get('pulls/d/2024-04-23')).toBe('3');
}); // prettier-ignore

test('a batch that finds the memory full is not counted at all', async () => {
  await counter.count([pull('a.org')]);
  const before = await everything();
  await redis.config('SET', 'maxmemory', '1');
  await expect(counter.count([pull('a.org'), pull('b.org')])).rejects.toThrow(/OOM/);
  await redis.config('SET', 'maxmemory', '0');
  expect(await everything()).toEqual(before);
});

test('a server that has forgotten the script is told it again', async () => {
  await counter.count([pull('seqera.io')]);
  await redis.script('FLUSH');
  await counter.count([pull('seqera.io')]);
  expect(await usage()).toEqual(sevenKeys('seqera.io', 2));
});

test('an event that a statistic throws on is refused with the reason, and the others are counted', async () => {
  const half = pull('half\ud800');
  const { counted, refused } = await counter.count([pull('a.org'), half, pull('b.org')]);
  expect(counted).toBe(2);
  expect(refused).toEqual([{ event: half, reason: 'cannot be counted: A name in a key must be well-formed Unicode.' }]);
});
