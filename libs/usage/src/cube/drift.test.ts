import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { compare, findDays, type Drift, type Sides } from '../compare';
import { createCounter, type Counter } from '../counter';
import { takeHold } from '../hold';
import { startRecount, type Recount } from '../recount';
import { giveRedis } from '../redis.test-support';
import { keysBeginning } from '../scan';
import type { Cube } from '../statistic';
import { swap } from '../swap';
import { blockOf } from './keys';

let redis: Redis;
giveRedis((client) => (redis = client));

const PREFIX = 'p:';
const NAMES = 5;
const DAY = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);

const cube: Cube = {
  name: 'weights',
  summary: 'Weights.',
  description: 'Of all.',
  measures: { weight: { summary: 'How heavy.' } },
  dimensions: { of: 'What.' },
  groups: [['of']],
  latest: [['of']],
  increments: ({ data }) => [{ measures: { weight: Number(data['weight']) }, dimensions: { of: String(data['of']) } }],
};

const weigh = (of: string, weight: number, hour = 9): WeirEvent =>
  createEvent('weight', { of, weight }, { source: 'test', time: new Date(`${DAY}T${String(hour).padStart(2, '0')}:30:00Z`) }); // prettier-ignore

let counter: Counter;
let recount: Recount;
let sides: Sides;
beforeEach(async () => {
  counter = createCounter({ redis, statistics: [cube], prefix: PREFIX, dedupeSeconds: 86_400, names: NAMES });
  recount = await startRecount({ redis, prefix: PREFIX, statistics: [cube], names: NAMES });
  sides = { redis, statistics: [cube], prefix: PREFIX, recount: recount.prefix, names: NAMES };
});
afterEach(() => recount.remove());

async function everything(): Promise<Record<string, unknown>> {
  const all: [string, unknown][] = [];
  for await (const keys of keysBeginning(redis, `${PREFIX}weir:cube`)) {
    for (const key of keys)
      all.push([key, [await redis.zrange(key, 0, '-1', 'WITHSCORES'), await redis.expiretime(key)]]);
  }
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function rebuild(): Promise<string[]> {
  const hold = await takeHold({ redis, prefix: PREFIX });
  const days = await findDays(sides, () => true);
  const drifts: Drift[] = await compare(sides, days, true);
  await swap({ sides, hold, days, drifts, dedupeSeconds: 86_400 });
  await hold.release();
  return drifts.map(({ key, expected, found }) => `${key} ${expected} ${found}`);
}

const bucket = (group: string, time: string) => `weir:cube:weights:weight:${group}:${time}`;

test('what is wrong with the buckets of a cube is shown by key, and repaired to the byte', async () => {
  const events = [weigh('a', 7), weigh('b', 2), weigh('c', 5), weigh('a', 3, 11)];
  await counter.count(events);
  await recount.count([...events, ...events]);
  const right = await everything();
  expect(Object.keys(right).length).toBe(7);
  expect(await rebuild()).toEqual([]);
  expect(await everything()).toEqual(right);

  const block = `${PREFIX}weir:cube-block:weights:weight:of:7:${blockOf(DAY, 7)}`;
  await redis.zadd(block, 1, 'made of the wrong day');
  await redis.zincrby(PREFIX + bucket('of', DAY), 4, 'a'); // too much
  await redis.zrem(PREFIX + bucket('of', `${DAY}T09`), 'b'); // too little
  await redis.zincrby(PREFIX + bucket('of', `${DAY}T09`), 2, 'c'); // the sum is right again
  await redis.del(PREFIX + bucket('', DAY)); // gone
  await redis.zadd(PREFIX + bucket('', `${DAY}T15`), 9, ''); // an hour without any event
  await redis.set(PREFIX + bucket('', `${DAY}T11`), 'text');
  await redis.zrem(`${PREFIX}weir:cube-latest:weights:of`, 'c');
  await recount.remove();
  recount = await startRecount({ redis, prefix: PREFIX, statistics: [cube], names: NAMES });
  sides.recount = recount.prefix;
  await recount.count(events);
  expect(await rebuild()).toEqual([
    `weir:cube-latest:weights:of 3 2`,
    `${bucket('', DAY)} 17 0`,
    `${bucket('', `${DAY}T11`)} 3 0`,
    `${bucket('', `${DAY}T15`)} 0 9`,
    `${bucket('of', DAY)} 17 21`,
    `${bucket('of', `${DAY}T09`)} 14 12`,
  ]);
  expect(await everything()).toEqual(right);
  expect(await redis.exists(block)).toBe(0);
});

test('in a bucket that is full it does not matter who came first', async () => {
  const events = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((of, at) => weigh(of, at + 1, at));
  await counter.count([...events].reverse());
  await recount.count(events);
  expect(await redis.zscore(PREFIX + bucket('of', DAY), '*')).not.toBe(null);
  expect(await rebuild()).toEqual([]);
  await redis.zincrby(PREFIX + bucket('of', DAY), 5, '*');
  expect(await compare(sides, await findDays(sides, () => true), true)).toEqual([
    { key: bucket('of', DAY), expected: 28n, found: 33n },
  ]);
});
