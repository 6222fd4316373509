import type { Redis } from 'ioredis';
import { giveRedis } from '../redis.test-support';
import { description } from './cube.test-support';
import { createCubes } from './cubes';
import { formatMember, latestKey } from './keys';
import { descriptionsKey, type Cubes } from './question';

const group = ['organization', 'repository'];

let redis: Redis;
let cubes: Cubes;
giveRedis((given) => (redis = given));
beforeEach(async () => {
  cubes = createCubes({ redis, prefix: 'p:' });
  await redis.hset(descriptionsKey('p:'), 'visits', JSON.stringify(description));
});

test('the statistics that there are, sorted by name; what cannot be read is left out', async () => {
  const volume = { ...description, name: 'volume', state: 'filling', since: 5 };
  await redis.hset(descriptionsKey('p:'), {
    volume: JSON.stringify(volume),
    broken: '{"name":',
    empty: '',
    nothing: 'null',
    list: '[]',
    halfway: JSON.stringify({ ...description, name: 'halfway', groups: [['a', 5]] }),
    worse: JSON.stringify({ ...description, name: 'worse', keepDays: { hour: 'x', day: 800 } }),
  });
  await redis.hset(descriptionsKey('other:'), 'other', JSON.stringify(description));
  expect(await cubes.statistics()).toEqual([description, volume]);
});

describe('latest', () => {
  const times: [string | undefined, string, number][] = [
    ['a', 'x', 500],
    ['a', 'y', 900],
    [undefined, 'x', 700],
    ['b', 'z', 700],
  ];
  beforeEach(async () => {
    const members = times.flatMap(([organization, repository, time]) => [
      time,
      formatMember([organization, repository]),
    ]);
    await redis.zadd(latestKey('p:', 'visits', group), ...members, 999, '*');
  });
  const ask = (filters: Record<string, string | null>, limit = 100) =>
    cubes.latest({ statistic: 'visits', group, filters, limit });

  test('the latest come first, equal ones by name', async () => {
    expect(await ask({})).toEqual([
      { values: ['a', 'y'], time: 900 },
      { values: [null, 'x'], time: 700 },
      { values: ['b', 'z'], time: 700 },
      { values: ['a', 'x'], time: 500 },
    ]);
    expect(await ask({}, 1)).toEqual([{ values: ['a', 'y'], time: 900 }]);
    expect(await redis.keys('*answer*')).toEqual([]);
  });

  test('filters, also for what is not known', async () => {
    expect(await ask({ organization: 'a' })).toEqual([
      { values: ['a', 'y'], time: 900 },
      { values: ['a', 'x'], time: 500 },
    ]);
    expect(await ask({ organization: null })).toEqual([{ values: [null, 'x'], time: 700 }]);
    expect(await ask({ organization: 'nobody' })).toEqual([]);
  });

  test('nothing is kept yet', async () => {
    await redis.del(latestKey('p:', 'visits', group));
    expect(await ask({})).toEqual([]);
  });

  test('many are read to the end', async () => {
    const many = Array.from({ length: 2500 }, (_, n) => [n, formatMember(['many', `r${n}`])]).flat();
    await redis.zadd(latestKey('p:', 'visits', group), ...many);
    expect(await ask({ repository: 'r0' })).toEqual([{ values: ['many', 'r0'], time: 0 }]);
    expect(await ask({ organization: 'many' }, 5000)).toHaveLength(2500);
  });

  test.each([
    [['client'], {}, /^by: there are no times of client; allowed: organization,repository/],
    [group, { client: 'x' }, /^client: cannot be a filter here; allowed: organization, repository/],
  ])('%j with %j is refused', async (of, filters, message) => {
    await expect(cubes.latest({ statistic: 'visits', group: of, filters, limit: 1 })).rejects.toThrow(message);
  });
});
