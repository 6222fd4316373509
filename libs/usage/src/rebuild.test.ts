import { createEvent, type WeirEvent } from '@weir/events';
import { startRedis, temporaryDirectory, until, type PrivateServer } from '@weir/testing';
import { Redis } from 'ioredis';
import { compare, findDays, type Drift, type Sides } from './compare';
import { createCounter, DataLostError, HeldError, type Counter } from './counter';
import { takeHold } from './hold';
import { startRecount, type Recount } from './recount';
import { keysBeginning } from './scan';
import { createStoreId } from './store-id';
import { usageKeys } from './statistics/usage-keys';
import { swap } from './swap';

/** The parts of a rebuild, without the history: events are given by hand. */

const statistics = [usageKeys];
const PREFIX = 'p*[a]:';
const DEDUPE_SECONDS = 32 * 86_400;

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let redis: Redis;
let counter: Counter;
let recount: Recount;
let sides: Sides;

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startRedis({ dir: directory.path });
  redis = new Redis(server.url);
});
beforeEach(async () => {
  await redis.flushdb();
  const store = createStoreId({ redis, prefix: PREFIX });
  await store.learn();
  counter = createCounter({ redis, statistics, prefix: PREFIX, dedupeSeconds: DEDUPE_SECONDS, storeId: store.value });
  recount = await startRecount({ redis, prefix: PREFIX, statistics });
  sides = { redis, statistics, prefix: PREFIX, recount: recount.prefix };
});
afterEach(() => recount.remove());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await directory.remove();
});

const DAYS = ['2026-11-21', '2026-11-22', '2026-11-23'];

function pulls(count: number, at = 0): WeirEvent[] {
  return Array.from({ length: count }, (_, n) => {
    const data = { repository: `r/${n % 3}`, platform: 'linux/arm64', user: { organization: `org${n % 4}` } };
    return createEvent('io.weir.pull', data, { source: 'test', time: new Date(`${DAYS[(at + n) % 3]}T12:00:00Z`) });
  });
}

/** Everything live, as a person would see it; sets of identities sorted. */
async function everything(): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for await (const keys of keysBeginning(redis, PREFIX)) {
    for (const key of keys) {
      if (key.includes(':recount:') || key.endsWith('weir:store')) continue;
      const type = await redis.type(key);
      if (type === 'string') all[key] = await redis.get(key);
      if (type === 'set') all[key] = (await redis.smembersBuffer(key)).map((id) => id.toString('hex')).sort();
      if (type === 'zset') all[key] = await redis.zrange(key, 0, '-1');
    }
  }
  return Object.fromEntries(Object.entries(all).sort());
}

const text = (drifts: readonly Drift[]) => drifts.map(({ key, expected, found }) => `${key} ${expected} ${found}`);

async function rebuild(days: (day: string) => boolean = () => true, whole = true): Promise<Drift[]> {
  const hold = await takeHold({ redis, prefix: PREFIX });
  const found = await findDays(sides, days);
  const drifts = await compare(sides, found, whole);
  await swap({ sides, hold, days: found, drifts, dedupeSeconds: DEDUPE_SECONDS, live: { from: '', to: '' } });
  await hold.release();
  return drifts;
}

test('counters that are as they should be do not drift, and are counted alike in the recount', async () => {
  const events = pulls(500);
  await counter.count(events);
  await recount.count([...events, ...events.slice(0, 100)]);
  const days = await findDays(sides, () => true);
  expect(days.map(({ day, live, counted, recounted, common }) => [day, live, counted, recounted, common])).toEqual([
    ['2026-11-21', true, 167, 167, 167],
    ['2026-11-22', true, 167, 167, 167],
    ['2026-11-23', true, 166, 166, 166],
  ]);
  expect(await compare(sides, days, true)).toEqual([]);
  expect(await compare(sides, days.slice(1), false)).toEqual([]);
  const before = await everything();
  expect(await rebuild()).toEqual([]);
  expect(await everything()).toEqual(before);
});

test('every kind of damage is found by its key, and repaired to the byte', async () => {
  const events = pulls(500);
  await counter.count(events);
  await recount.count(events);
  const before = await everything();
  await redis.set(`${PREFIX}pulls/d/2026-11-21`, '1000');
  await redis.del(`${PREFIX}pulls/o/org1`);
  await redis.set(`${PREFIX}builds/d/2026-11-22`, '3');
  await redis.set(`${PREFIX}pulls/o/ghost`, '5');
  await redis.del(`${PREFIX}pulls/a/arm64`);
  await redis.hset(`${PREFIX}pulls/a/arm64`, 'a', 1);
  await redis.zrem(`${PREFIX}weir:organizations:pulls`, 'org2');
  await redis.spop(`${PREFIX}weir:seen:2026-11-22`, 7);
  expect(text(await rebuild())).toEqual([
    'builds/d/2026-11-22 0 3',
    'pulls/a/arm64 500 0',
    'pulls/d/2026-11-21 167 1000',
    'pulls/o/ghost 0 5',
    'pulls/o/org1 125 0',
    'weir:organizations:pulls 4 3',
    'weir:seen:2026-11-22 167 160',
  ]);
  expect(await everything()).toEqual(before);
  expect(await redis.ttl(`${PREFIX}weir:seen:2026-11-22`)).toBeGreaterThan(DEDUPE_SECONDS - 100);
  expect(await redis.ttl(`${PREFIX}pulls/o/org1`)).toBe(-1);
});

test('keys of other people, other statistics and other recounts are left alone', async () => {
  await counter.count(pulls(10));
  const foreign = [
    'mine',
    `${PREFIX}pulls`,
    `${PREFIX}pulls/d/2026-13-01`,
    `${PREFIX}pulls/o/A`,
    `${PREFIX}weir:other:x/d/2026-11-21`,
    'pulls/d/2026-11-21',
  ];
  for (const key of foreign) await redis.set(key, '1');
  const other = await startRecount({ redis, prefix: PREFIX, statistics });
  await other.count(pulls(10));
  await rebuild();
  expect(await redis.mget(foreign)).toEqual(foreign.map(() => '1'));
  expect(await redis.get(`${other.prefix}pulls/o/org0`)).toBe('3');
  expect(await redis.get(`${PREFIX}pulls/o/org0`)).toBeNull(); // the recount was empty
  await other.remove();
});

test('a window corrects its own days, and what is for all time by what was wrong with them', async () => {
  const [old, recent] = [pulls(300), pulls(300)];
  await counter.count([...old, ...recent]);
  const before = await everything();
  // The history has no more of the 21st, and what is wrong on that day stays.
  await recount.count([...old, ...recent].filter(({ time }) => time >= '2026-11-22'));
  await redis.incrby(`${PREFIX}pulls/d/2026-11-21`, 5);
  for (const key of ['pulls/o/org1/d/2026-11-22', 'pulls/o/org1']) await redis.decrby(PREFIX + key, 4);
  await redis.set(`${PREFIX}scans/a/arm64/d/2026-11-23`, '2');
  await redis.set(`${PREFIX}scans/a/arm64`, '9');
  await redis.set(`${PREFIX}pulls/d/2026-11-23`, '1');
  const drifts = await rebuild((day) => day >= '2026-11-22', false);
  expect(text(drifts)).toEqual([
    'pulls/d/2026-11-23 200 1',
    'pulls/o/org1 150 146',
    'pulls/o/org1/d/2026-11-22 50 46',
    'scans/a/arm64 7 9',
    'scans/a/arm64/d/2026-11-23 0 2',
  ]);
  expect(await everything()).toEqual({
    ...before,
    [`${PREFIX}pulls/d/2026-11-21`]: '205',
    [`${PREFIX}scans/a/arm64`]: '7',
  });
});

test('a Redis that lost everything gets all of it back, and its workers are told to go on', async () => {
  const events = pulls(300);
  await counter.count(events);
  const before = await everything();
  await recount.remove();
  await redis.flushdb();
  await expect(counter.count(pulls(1))).rejects.toThrow(DataLostError);
  recount = await startRecount({ redis, prefix: PREFIX, statistics });
  sides = { ...sides, recount: recount.prefix };
  await recount.count(events);
  await rebuild();
  await recount.remove();
  expect(await everything()).toEqual(before);
  expect(await redis.get(`${PREFIX}weir:store`)).toMatch(/^rebuilt-/);
});

test('only those events that are counted live go into a recount that is asked for them alone', async () => {
  const [counted, waiting] = [pulls(100), pulls(50)];
  await counter.count(counted);
  await recount.countLive([...counted, ...waiting]);
  expect(await compare(sides, await findDays(sides, () => true), true)).toEqual([]);
});

test('while the counters are held nothing is counted; one holds at a time, and only the owner lets go', async () => {
  const hold = await takeHold({ redis, prefix: PREFIX });
  await expect(counter.count(pulls(1))).rejects.toThrow(HeldError);
  await expect(takeHold({ redis, prefix: PREFIX, waitMs: 300 })).rejects.toThrow(/another `weir rebuild`/);
  const next = takeHold({ redis, prefix: PREFIX });
  await hold.release();
  const second = await next;
  await hold.release();
  await expect(counter.count(pulls(1))).rejects.toThrow(HeldError);
  await second.release();
  expect(await counter.count(pulls(1))).toMatchObject({ counted: 1 });
});

test('a hold lasts while its process lives, and ends by itself', async () => {
  const hold = await takeHold({ redis, prefix: PREFIX, ttlMs: 3000 });
  const taken = Date.now();
  await until(() => Date.now() > taken + 4000);
  expect(await redis.get(`${PREFIX}weir:hold`)).toBe(hold.token);
  await hold.release();
  await redis.set(`${PREFIX}weir:hold`, 'of a process that was killed', 'PX', 300);
  await until(async () => (await redis.exists(`${PREFIX}weir:hold`)) === 0);
});

test('a swap whose hold was lost changes nothing', async () => {
  await counter.count(pulls(30));
  const before = await everything();
  await recount.count(pulls(60));
  const hold = await takeHold({ redis, prefix: PREFIX });
  const days = await findDays(sides, () => true);
  const drifts = await compare(sides, days, true);
  await redis.set(`${PREFIX}weir:hold`, 'somebody else');
  await expect(swap({ sides, hold, days, drifts, dedupeSeconds: 1 })).rejects.toThrow(/nothing was changed, try again/);
  await redis.del(`${PREFIX}weir:hold`);
  await expect(swap({ sides, hold, days, drifts, dedupeSeconds: 1 })).rejects.toThrow(/nothing was changed, try again/);
  await hold.release();
  expect(await everything()).toEqual(before);
});

test('a swap that finds the memory full changes nothing', async () => {
  await counter.count(pulls(30));
  await recount.count(pulls(60));
  const before = await everything();
  const hold = await takeHold({ redis, prefix: PREFIX });
  const days = await findDays(sides, () => true);
  const drifts = await compare(sides, days, true);
  await redis.config('SET', 'maxmemory', '1');
  await expect(swap({ sides, hold, days, drifts, dedupeSeconds: 1 })).rejects.toThrow(/OOM/);
  await redis.config('SET', 'maxmemory', '0');
  expect(await everything()).toEqual({ ...before, [`${PREFIX}weir:hold`]: hold.token });
  await hold.release();
});

test('what a recount leaves behind that was killed goes with the next one, or by itself; one at work is spared', async () => {
  await recount.count(pulls(30));
  const own = (await redis.keys('*')).filter((key) => key.startsWith(recount.prefix));
  expect(own.length).toBeGreaterThan(10);
  for (const key of own) expect([key, await redis.ttl(key)]).toEqual([key, expect.any(Number)]);
  expect(Math.min(...(await Promise.all(own.map((key) => redis.ttl(key)))))).toBeGreaterThan(0);
  const second = await startRecount({ redis, prefix: PREFIX, statistics });
  expect(await redis.get(`${recount.prefix}pulls/o/org0`)).toBe('8');
  await redis.del(`${recount.prefix}weir:alive`); // as if its process had been dead for two minutes
  const third = await startRecount({ redis, prefix: PREFIX, statistics });
  expect((await redis.keys('*')).filter((key) => key.startsWith(recount.prefix))).toEqual([]);
  await second.remove();
  await third.remove();
});
