import type { Redis } from 'ioredis';
import { descriptionsKey, type Description } from '../cube/question';
import { giveRedis } from '../redis.test-support';
import type { Cube } from '../statistic';
import { failuresKey } from '../store';
import { describe as describeCube, writeDescriptions, type Failures } from './describe';

let redis: Redis;
giveRedis((client) => (redis = client));

const cubeOf = (name: string): Cube => ({
  name,
  summary: 'S.',
  description: 'D.',
  measures: { a: { summary: 'A.' } },
  dimensions: {},
  groups: [],
  increments: () => [],
});
const [old, fresh] = [cubeOf('old'), cubeOf('fresh')];

const write = (live: Cube[], missing: Cube[], failures: Record<string, Failures> = {}, tidy = false) =>
  writeDescriptions({
    redis,
    prefix: 'p:',
    live,
    missing,
    names: 7,
    failures: new Map(Object.entries(failures)),
    tidy,
  });

const read = async (name: string) => {
  const text = await redis.hget(descriptionsKey('p:'), name);
  return text === null ? undefined : (JSON.parse(text) as Description);
};

test('what is live has counted everything; what is new has counted nothing before now', async () => {
  const begun = Date.now();
  await write([old], [fresh]);
  expect(await read('old')).toEqual({
    name: 'old', summary: 'S.', description: 'D.', measures: { a: { summary: 'A.' } }, dimensions: {}, groups: [], latest: [],
    keepDays: { hour: 15, day: 1500 }, names: 7, state: 'live', failures: 0,
  }); // prettier-ignore
  expect(await read('fresh')).toMatchObject({ state: 'filling', failures: 0 });
  expect((await read('fresh'))?.since).toBeGreaterThanOrEqual(begun);
});

test('since when it counts is kept, failures add up, and a restart forgets neither', async () => {
  const since = 1_700_000_000_000;
  await redis.hset(descriptionsKey('p:'), 'old', JSON.stringify(describeCube(old, { state: 'live', names: 7, failures: 0, since }))); // prettier-ignore
  await write([old], [], { old: { times: 2, last: 'first' } });
  await write([old], [], { old: { times: 3, last: 'second' } });
  await write([old], []);
  expect(await read('old')).toMatchObject({ since, failures: 5, lastFailure: 'second' });
});

test('what is gone is removed by one that starts, and by no other', async () => {
  await write([old, fresh], [], { fresh: { times: 1, last: 'x' } });
  await write([old], []);
  expect(await read('fresh')).toBeDefined();
  await write([old], [], {}, true);
  expect(await read('fresh')).toBe(undefined);
  expect(await redis.hgetall(failuresKey('p:'))).toEqual({});
});

test('what is no description is written anew', async () => {
  for (const text of ['not JSON', '7', 'null']) {
    await redis.hset(descriptionsKey('p:'), 'old', text);
    await write([old], []);
    expect(await read('old')).toMatchObject({ name: 'old', state: 'live' });
  }
});
