import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter, StaleError, type Counter } from '../counter';
import { descriptionsKey, type Description } from '../cube/question';
import { compare, findDays } from '../compare';
import { takeHold } from '../hold';
import { giveRedis } from '../redis.test-support';
import { keysBeginning } from '../scan';
import type { Cube } from '../statistic';
import { usageKeys } from '../statistics/usage-keys';
import { startRecount } from '../recount';
import { liveKey, storeKey } from '../store';
import { swap } from '../swap';
import { startFill, type Fill } from './fill';
import { learnLive, liveText, versionOf } from './live';
import type { FilledDay } from './switch';

/** The parts of a filling, without the history: events are given by hand. */

let redis: Redis;
giveRedis((client) => (redis = client));

const PREFIX = 'p:';
const TODAY = new Date().toISOString().slice(0, 10);
const DEDUPE_SECONDS = 32 * 86_400;

function cubeOf(given: Partial<Cube> = {}): Cube {
  return {
    name: 'volume-of-repositories',
    summary: 'Bytes by repository.',
    description: 'Of pulls.',
    measures: { pulls: { summary: 'Pulls.' }, bytes: { summary: 'Bytes.', unit: 'bytes' } },
    dimensions: { repository: 'Where.', organization: 'Who.' },
    groups: [['repository'], ['repository', 'organization']],
    latest: [['repository']],
    increments: ({ data }) => [
      {
        measures: { pulls: 1, bytes: Number(data['bytes']) },
        dimensions: { repository: String(data['repository']), organization: data['org'] as string | undefined },
      },
    ],
    ...given,
  };
}
const cube = cubeOf();

let made = 0;
function pulls(count: number, day = TODAY): WeirEvent[] {
  return Array.from({ length: count }, (_, n) => {
    const data = { repository: `r/${n % 7}`, bytes: 10 + n, ...(n % 3 === 0 ? {} : { org: `o${n % 5}` }) };
    const time = new Date(Date.parse(day) + (n % 24) * 3_600_000);
    return createEvent('io.weir.pull', data, { source: 'test', id: `${(made += 1)}`, time });
  });
}

/** What the worker is: it counts for the cubes that are on the list, and learns when that has changed. */
function worker(cubes: readonly Cube[], prefix = PREFIX): { count(events: readonly WeirEvent[]): Promise<void> } {
  let counter: Counter | undefined;
  const learn = async () => {
    const { text, cubes: live } = await learnLive(redis, prefix, cubes);
    return createCounter({
      redis, prefix, dedupeSeconds: DEDUPE_SECONDS, statistics: [usageKeys, ...live], live: text, storeId: () => 'store',
    }); // prettier-ignore
  };
  return {
    async count(events) {
      counter ??= await learn();
      await counter.count(events).catch(async (error: unknown) => {
        if (!(error instanceof StaleError)) throw error;
        counter = await learn();
        await counter.count(events);
      });
    },
  };
}

beforeEach(() => redis.set(storeKey(PREFIX), 'store'));

const start = (cubes = [cube]): Promise<Fill> =>
  startFill({ redis, prefix: PREFIX, cubes, all: cubes, storeId: 'store', names: 1000, failed: () => {} });

async function finish(fill: Fill, whole: FilledDay['whole'] = 'remembered', since?: number): Promise<void> {
  const hold = await takeHold({ redis, prefix: PREFIX });
  try {
    await fill.again();
    await fill.finish(hold, fill.days().map((day) => ({ day, whole })), since); // prettier-ignore
  } finally {
    await hold.release();
  }
}

/** Every number of the cubes, and when it goes. */
async function numbers(prefix = PREFIX): Promise<Record<string, unknown>> {
  const all: [string, unknown][] = [];
  for await (const keys of keysBeginning(redis, `${prefix}weir:cube`)) {
    for (const key of keys) {
      const ends = key.includes('cube-latest') ? 0 : await redis.expiretime(key);
      all.push([key.slice(prefix.length), [await redis.zrange(key, 0, '-1', 'WITHSCORES'), ends]]);
    }
  }
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same from scratch: the cube is there from the beginning. */
async function fromScratch(events: readonly WeirEvent[], of = cube): Promise<Record<string, unknown>> {
  await redis.mset(storeKey('q:'), 'store', liveKey('q:'), versionOf(of));
  await worker([of], 'q:').count(events);
  return numbers('q:');
}

const description = async (): Promise<Description> =>
  JSON.parse((await redis.hget(descriptionsKey(PREFIX), cube.name)) ?? '') as Description;

test('a new cube is filled while events go on, and equals a count from scratch', async () => {
  const [before, queued, later] = [pulls(300), pulls(40), pulls(60)];
  const live = worker([cube]);
  await live.count(before);
  expect(await numbers()).toEqual({});

  const fill = await start();
  await fill.take([...before.slice(0, 200), ...queued]);
  expect(fill.waiting()).toBe(40);
  await live.count(queued.slice(0, 30)); // and ten are still in the queue when it ends
  await fill.take([...before.slice(100), ...before.slice(0, 5)]); // the history has duplicates
  await finish(fill);
  await live.count([...queued.slice(25), ...later]);
  expect(await numbers()).toEqual(await fromScratch([...before, ...queued, ...later]));
  expect(await redis.get(liveKey(PREFIX))).toBe(versionOf(cube));
  expect(await description()).toMatchObject({ state: 'live', name: cube.name });
});

test('one that was interrupted is gone on with, whatever it had counted', async () => {
  const events = pulls(500);
  const live = worker([cube]);
  await live.count(events);
  for (const part of [events.slice(0, 100), events.slice(0, 350)]) await (await start()).take(part);
  const fill = await start();
  await fill.take(events);
  await finish(fill);
  expect(await numbers()).toEqual(await fromScratch(events));
});

test('a filling that lost its hold, its store or its list changes nothing', async () => {
  const events = pulls(50);
  await worker([cube]).count(events);
  const fill = await start();
  await fill.take(events);
  const hold = await takeHold({ redis, prefix: PREFIX });
  const attempt = () => fill.finish(hold, fill.days().map((day) => ({ day, whole: true })), undefined); // prettier-ignore
  await redis.set(storeKey(PREFIX), 'another');
  await expect(attempt()).rejects.toThrow(/the hold on the counters was lost/);
  await redis.set(storeKey(PREFIX), 'store');
  await redis.del(`${PREFIX}weir:hold`);
  await expect(attempt()).rejects.toThrow(/the hold on the counters was lost/);
  await hold.release();
  expect(await numbers()).toEqual({});
  expect(await redis.get(liveKey(PREFIX))).toBe(null);
});

test('one that a rebuild has brought identities in for is begun anew', async () => {
  const events = pulls(20);
  await worker([cube]).count(events);
  const fill = await start();
  await fill.take(events.slice(0, 10));
  const recount = await startRecount({ redis, prefix: PREFIX, statistics: [usageKeys] });
  const lost = pulls(5);
  await recount.count([...events, ...lost]);
  const sides = { redis, statistics: [usageKeys], prefix: PREFIX, recount: recount.prefix };
  const hold = await takeHold({ redis, prefix: PREFIX });
  const days = await findDays(sides, () => true);
  const drifts = await compare(sides, days, true);
  await swap({ sides, hold, days, drifts, dedupeSeconds: DEDUPE_SECONDS, live: { from: '', to: '' } });
  await hold.release();
  await recount.remove();
  await expect(finish(fill)).rejects.toThrow(/what is counted has been changed meanwhile/);

  const again = await start();
  await again.take([...events, ...lost]);
  await finish(again);
  expect(await numbers()).toEqual(await fromScratch([...events, ...lost]));
});

test('what the live counters do not know waits, has passed, or was forgotten: that depends on its age', async () => {
  const [known, dead, forgotten] = [pulls(4), pulls(3), pulls(2)];
  await worker([cube]).count(known);
  const fill = await start();
  await fill.take([...known, ...dead], 'settled');
  await fill.take(forgotten, 'forgotten');
  expect(fill.waiting()).toBe(0);
  await fill.take(dead);
  expect(fill.waiting()).toBe(3);
  fill.giveUp();
  expect(await fill.again()).toBe(0);
  await finish(fill);
  expect(await numbers()).toEqual(await fromScratch([...known, ...forgotten]));
});

describe('a changed cube', () => {
  const changed = cubeOf({ version: '2', increments: (event) => cube.increments(event).map(({ dimensions }) => ({ measures: { pulls: 2 }, dimensions })) }); // prettier-ignore
  const EARLIER = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);

  test('replaces what it counted on days that the history has, and keeps the rest', async () => {
    const [old, recent] = [pulls(100, EARLIER), pulls(100)];
    await redis.set(liveKey(PREFIX), versionOf(cube));
    await worker([cube]).count([...old, ...recent]);
    const kept = Object.entries(await numbers()).filter(([key]) => key.includes(EARLIER));
    expect(kept.length).toBeGreaterThan(50);

    await worker([changed]).count([]);
    const fill = await start([changed]);
    await fill.take([...old.slice(60), ...recent]); // the history begins in the middle of the earlier day
    await finish(fill);
    const now = await numbers();
    expect(Object.entries(now).filter(([key]) => key.includes(EARLIER))).toEqual(kept);
    const right = await fromScratch(recent, changed);
    expect(Object.entries(now).filter(([key]) => key.includes(TODAY))).toEqual(
      Object.entries(right).filter(([key]) => key.includes(TODAY)),
    );
  });

  test('is not counted meanwhile, and the worker that knows the old one takes it off the list', async () => {
    await redis.set(liveKey(PREFIX), versionOf(cube));
    await worker([changed]).count(pulls(10));
    expect(await redis.get(liveKey(PREFIX))).toBe('');
    expect(await numbers()).toEqual({});
    await redis.set(liveKey(PREFIX), liveText([versionOf(changed), 'gone@000000000000']));
    expect((await learnLive(redis, PREFIX, [cube])).dropped).toEqual(['gone@000000000000', versionOf(changed)]);
  });
});

test('a cube that wants two days of history is filled with two, and says so', async () => {
  const days = [0, 1, 2, 3].map((ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10));
  const events = days.flatMap((day) => pulls(30, day));
  const bounded = cubeOf({ historyDays: 2 });
  await worker([bounded]).count(events);
  const fill = await start([bounded]);
  await fill.take(events);
  await finish(fill);
  const wanted = events.filter(({ time }) => time.slice(0, 10) >= (days[2] ?? ''));
  expect(wanted.length).toBe(90);
  expect(await numbers()).toEqual(await fromScratch(wanted));
  expect((await description()).since).toBe(Date.parse(days[2] ?? ''));
});
