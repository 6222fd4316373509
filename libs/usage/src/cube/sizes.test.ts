import type { Redis } from 'ioredis';
import { giveRedis } from '../redis.test-support';
import { bucketKey, OTHER } from './keys';
import { sizes } from './sizes';

let redis: Redis;
giveRedis((client) => (redis = client));

const SERIES = { statistic: 's', measure: 'm', group: ['a'] };

test('a bucket has as many rows as it has names; what had no room is none, and a bucket that is not there has none', async () => {
  await redis.zadd(bucketKey('p:', SERIES, '2026-11-20'), 1, 'x', 0, 'y', 5, OTHER);
  await redis.zadd(bucketKey('p:', SERIES, '2026-11-20T03'), 1, 'x');
  expect(await sizes({ redis, prefix: 'p:' }, SERIES, ['2026-11-20', '2026-11-19', '2026-11-20T03'])).toEqual([
    2, 0, 1,
  ]);
});

test('thousands of buckets are asked for in the order given', async () => {
  const hours = Array.from({ length: 2500 }, (_, hour) => new Date(Date.UTC(2026, 0, 1, hour)).toISOString().slice(0, 13)); // prettier-ignore
  await redis.zadd(bucketKey('', SERIES, hours[2100] ?? ''), 1, 'x', 2, 'y');
  const found = await sizes({ redis, prefix: '' }, SERIES, hours);
  expect([found.length, found.findIndex((size) => size === 2), found.reduce((sum, size) => sum + size)]).toEqual([2500, 2100, 2]); // prettier-ignore
});
