import { catalogue, createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter } from './counter';
import { giveRedis } from './redis.test-support';
import { isCube } from './statistic';
import { statistics } from './statistics';
import { nonsense } from './statistics/cubes.test-support';

/** What holds for all statistics that Weir comes with. */

let redis: Redis;
giveRedis((client) => (redis = client));

const cubes = statistics.filter(isCube);

test('every statistic has a name of its own, and says what it answers', () => {
  const names = statistics.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
  for (const { summary, description } of statistics) expect(summary.length).toBeLessThan(description.length);
});

test.each(cubes.map((cube) => [cube.name, cube] as const))('%s groups by dimensions that it has, and keeps the latest of groups', (_, cube) => {
  const groups = cube.groups.map((group) => group.join('+'));
  expect(new Set(groups).size).toBe(groups.length);
  expect(cube.groups.flat().filter((dimension) => !(dimension in cube.dimensions))).toEqual([]);
  expect((cube.latest ?? []).flat().filter((dimension) => !(dimension in cube.dimensions))).toEqual([]);
  expect(Object.keys(cube.dimensions).filter((dimension) => !cube.groups.flat().includes(dimension))).toEqual([]);
}); // prettier-ignore

test('every event of the catalogue is counted, with its example and with nonsense', async () => {
  const events = catalogue.flatMap(({ type, example }) => [
    createEvent(type, example, { source: 'test' }),
    ...nonsense.map((data) => createEvent(type, data, { source: 'test' })),
  ]);
  const counter = createCounter({ redis, statistics, prefix: '', dedupeSeconds: 1000 });
  const { counted, refused } = await counter.count(events);
  expect(refused).toEqual([]);
  expect(counted).toBe(events.length);
});

test('what all cubes say together is what was sent', async () => {
  const at = new Date();
  const hour = at.toISOString().slice(0, 13);
  const make = (type: string, data: object): WeirEvent => createEvent(`io.weir.${type}`, data, { source: 'test', time: at });
  const counter = createCounter({ redis, statistics, prefix: '', dedupeSeconds: 1000 });
  await counter.count([
    make('pull', { repository: 'a/b', tag: '1', platform: 'linux/arm64', user: { organization: 'acme' } }),
    make('pull', { repository: 'a/b', tag: '2' }),
    make('download', { repository: 'a/b', tag: '1', bytes: 100 }),
    make('build', { repository: 'a/b', platforms: ['linux/arm64', 'linux/amd64'] }),
    make('build.finished', { repository: 'a/b', outcome: 'succeeded', durationMs: 12_000 }),
    make('audit', { namespace: 'n', entityType: 'dataset', entityName: 'e', action: 'write' }),
    make('health', { service: 's', healthy: true, responseTimeMs: 3 }),
  ]);
  const of = (series: string) => redis.zrange(`weir:cube:${series}:${hour}`, 0, '-1', 'WITHSCORES');
  expect(await of('pulls:pulls:')).toEqual(['', '2']);
  expect(await of('pulls:pulls:organization')).toEqual(['', '1', 'acme', '1']);
  expect(await of('pulls:pulls:repository+tag')).toEqual(['a%2Fb/1', '1', 'a%2Fb/2', '1']);
  expect(await of('pulls:bytes:repository')).toEqual(['a%2Fb', '100']);
  expect(await of('builds:started:architecture')).toEqual(['amd64', '1', 'arm64', '1']);
  expect(await of('builds:durationMs:outcome+duration')).toEqual(['succeeded/10s-1m', '12000']);
  expect(await of('audit:writes:namespace+entityType+entityName')).toEqual(['n/dataset/e', '1']);
  expect(await of('health:responseTimeMs:service')).toEqual(['s', '3']);
  expect(await of('volume:events:')).toEqual(['', '7']);
  const latest = await redis.zrange('weir:cube-latest:audit:namespace+entityType+entityName+action', 0, '-1', 'WITHSCORES');
  expect(latest).toEqual(['n/dataset/e/write', String(at.getTime())]);
}); // prettier-ignore
