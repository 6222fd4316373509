import { createHash, hash } from 'node:crypto';
import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter } from './counter';
import { giveRedis } from './redis.test-support';
import { sources } from './statistics/sources';
import { usageKeys } from './statistics/usage-keys';
import { createUniques, type UniquesQuery } from './uniques';

let redis: Redis;

const PREFIX = 'p:';
const KEEP_DAYS = 3650;
const now = () => new Date('2026-11-20T10:00:00Z');

giveRedis((client) => (redis = client));

/** A pull of a source; its pseudonyms are those of the day and of the month, as the gateway makes them. */
function pull(source: number, day: string, data: Record<string, unknown> = {}): WeirEvent {
  const pseudonym = (of: string) => createHash('sha256').update(`${of} ${source}`);
  const said = {
    day: pseudonym(day).digest('base64url').slice(0, 22),
    month: pseudonym(day.slice(0, 7)).digest('hex').slice(0, 6),
  };
  const origin = { source: 'test', time: new Date(`${day}T12:00:00Z`) };
  return createEvent('io.weir.pull', { repository: 'library/alpine', source: said, ...data }, origin);
}

async function count(events: readonly WeirEvent[], namesADay = 1000): Promise<void> {
  const distinct = { keepDays: KEEP_DAYS, namesADay };
  const counter = createCounter({
    redis,
    statistics: [usageKeys, sources],
    prefix: PREFIX,
    dedupeSeconds: 1000,
    distinct,
  });
  for (let from = 0; from < events.length; from += 5000) await counter.count(events.slice(from, from + 5000));
}

const ask = (query: UniquesQuery, keepDays = KEEP_DAYS) =>
  createUniques({ redis, prefix: PREFIX, keepDays, now }).ask(query);
const days = (month: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => `${month}-${String(first + n).padStart(2, '0')}`);
const off = (found: number, expected: number) => Math.abs(found - expected) / expected;

test('five days of one source are one source, though each day has one', async () => {
  const range = days('2026-11', 10, 14);
  await count(range.flatMap((day) => [pull(1, day), pull(1, day)]));
  const answer = await ask({ days: range });
  expect(answer).toEqual({ sources: 1, atMost: false, days: range.map((day) => ({ day, sources: 1 })), leftOut: 0 });
  expect(answer.days.reduce((sum, { sources = 0 }) => sum + sources, 0)).toBe(5);
});

test('ten sources on each of two days, half of them the same, are fifteen', async () => {
  const [monday, tuesday] = ['2026-11-16', '2026-11-17'] as const;
  await count(Array.from({ length: 10 }, (_, n) => [pull(n, monday), pull(n + 5, tuesday)]).flat());
  expect(await ask({ days: [monday, tuesday] })).toMatchObject({ sources: 15, days: [{ sources: 10 }, { sources: 10 }] });
  expect(await ask({ days: [monday] })).toMatchObject({ sources: 10, atMost: false });
}); // prettier-ignore

test('a range over the end of a month is the sum of its months, and says that it is at most that', async () => {
  const range = ['2026-10-30', '2026-10-31', '2026-11-01', '2026-11-02'];
  await count(range.flatMap((day) => [pull(1, day), pull(2, day)]));
  expect(await ask({ days: range })).toMatchObject({ sources: 4, atMost: true });
  expect(await ask({ days: range.slice(1) })).toMatchObject({ sources: 4, atMost: true });
  expect(await ask({ days: range.slice(0, 2) })).toMatchObject({ sources: 2, atMost: false });
});

test('100,000 sources of two days are counted within 2 %, and so are those of each day', async () => {
  const [first, second] = ['2026-11-01', '2026-11-02'] as const;
  const total = 100_000;
  for (let from = 0; from < total; from += 20_000) {
    await count(Array.from({ length: 20_000 }, (_, n) => pull(from + n, n % 2 ? first : second)));
  }
  const { sources, days: each } = await ask({ days: [first, second] });
  expect(off(sources, total)).toBeLessThan(0.02);
  for (const day of each) expect(off(day.sources ?? 0, total / 2)).toBeLessThan(0.02);
}, 60_000);

test('3,000,000 sources are counted within 2 %, though 8 % of them share a coarse pseudonym with another', async () => {
  const [key, total, chunk] = [`${PREFIX}weir:distinct:sources:month/d/2026-11-01`, 3_000_000, 10_000] as const;
  for (let from = 0; from < total; from += chunk) {
    const pseudonyms = Array.from({ length: chunk }, (_, n) => hash('sha1', `${from + n}`).slice(0, 6));
    await redis.pfadd(key, ...pseudonyms);
  }
  const { sources } = await ask({ days: ['2026-11-01', '2026-11-02'] });
  expect(off(sources, total)).toBeLessThan(0.02);
  expect(off(await redis.pfcount(key), total)).toBeGreaterThan(0.05);
}, 60_000);

test('repositories and organizations have answers of their own, by any spelling of the organization', async () => {
  const day = '2026-11-16';
  await count([
    pull(1, day, { repository: 'a/b', user: { organization: 'ACME.org' } }),
    pull(2, day, { repository: 'a/b' }),
    pull(2, day, { repository: 'c', user: { email: 'me@acme.org' } }),
    pull(3, day, { repository: 'c' }),
  ]);
  const sources = async (query: object) => (await ask({ days: [day], ...query })).sources;
  expect(await sources({})).toBe(3);
  expect(await sources({ repository: 'a/b' })).toBe(2);
  expect(await sources({ repository: 'A/B' })).toBe(0);
  expect(await sources({ organization: 'acme.org' })).toBe(2);
  expect(await sources({ organization: ' Acme.ORG ' })).toBe(2);
  expect(await sources({ organization: '/d/' })).toBe(0);
});

test('repositories that had no place are told of, each once for all days', async () => {
  const range = days('2026-11', 16, 18);
  const pulls = range.flatMap((day) => Array.from({ length: 6 }, (_, n) => pull(n, day, { repository: `r${n}` })));
  await count(pulls, 2);
  expect(await ask({ days: range })).toMatchObject({ sources: 6, leftOut: 0 });
  expect(await ask({ days: range, repository: 'r1' })).toMatchObject({ sources: 1, leftOut: 4 });
  expect(await ask({ days: range, repository: 'r5' })).toMatchObject({ sources: 0, leftOut: 4 });
  expect(await ask({ days: range, organization: 'a.org' })).toMatchObject({ sources: 0, leftOut: 0 });
});

test('a day that is kept no longer is unknown, not zero', async () => {
  const range = days('2026-11', 9, 20);
  await count(range.map((day) => pull(1, day)));
  const { sources, days: each } = await ask({ days: range }, 10);
  expect(sources).toBe(1);
  // The 20th is today: the 10th goes with its end.
  expect(each.map((day) => day.sources)).toEqual([undefined, ...range.slice(1).map(() => 1)]);
  expect(await ask({ days: ['2020-01-01'], repository: 'x' }, 10)).toEqual({
    sources: 0,
    atMost: false,
    days: [{ day: '2020-01-01', sources: undefined }],
    leftOut: 0,
  });
});

test('what nobody pulled has no sources', async () => {
  expect(await ask({ days: days('2026-11', 1, 3) })).toMatchObject({ sources: 0, days: [{ sources: 0 }, { sources: 0 }, { sources: 0 }] }); // prettier-ignore
});

test('a key of another type is an error, not a number', async () => {
  await redis.rpush(`${PREFIX}weir:distinct:sources:day/d/2026-11-16`, 'x');
  await expect(ask({ days: ['2026-11-16'] })).rejects.toThrow(/WRONGTYPE/);
});
