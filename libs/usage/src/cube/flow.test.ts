import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { giveRedis } from '../redis.test-support';
import { createFlow, MOST_GAPS } from './flow';
import { createFlowRecorder, MOST_REPORTS } from './flow-recorder';

let redis: Redis;
giveRedis((client) => (redis = client));

const PREFIX = 'p:';
const at = (time: string) => Date.parse(`2026-11-${time}Z`);
const MINUTE = 60_000;
const DAY = 86_400_000;

/** Canaries every 10 s from a time until before another one. */
async function works(from: string, to: string): Promise<void> {
  const recorder = createFlowRecorder({ redis, prefix: PREFIX });
  for (let time = at(from); time < at(to); time += 10_000) await recorder.worked(time);
}

async function report(...events: readonly WeirEvent[]): Promise<void> {
  await createFlowRecorder({ redis, prefix: PREFIX }).reported(events);
}

/** A report of the registry, its identity its state and time. */
const outage = (state: string, time: string, more: Record<string, unknown> = {}): WeirEvent =>
  createEvent(
    'io.weir.outage',
    { service: 'registry', state, ...more },
    {
      source: 'monitor',
      id: `${state} ${time} ${JSON.stringify(more)}`,
      time: new Date(at(time)),
    },
  );

/** The gaps of a range as of some time: from, to, and why, in words. */
async function gaps(from: string, to: string, now: string, keepDays?: number) {
  const flow = createFlow({
    redis,
    prefix: PREFIX,
    now: () => at(now),
    ...(keepDays === undefined ? {} : { keepDays }),
  });
  const text = (time: number) => new Date(time).toISOString().slice(8, 19);
  return (await flow.gaps(at(from), at(to))).map((gap) =>
    [text(gap.from), text(gap.to), gap.reason, gap.service].filter((part) => part !== undefined).join(' '),
  );
}

describe('minutes of the flow', () => {
  test('nothing is said before anything was recorded', async () => {
    expect(await gaps('20T00:00:00', '28T00:00:00', '27T12:00:00')).toEqual([]);
  });

  test('a flow that works has no gap: not before its first minute, not in the running one, not ahead', async () => {
    await works('20T10:00:30', '21T10:00:00');
    expect(await gaps('19T00:00:00', '28T00:00:00', '21T10:00:59')).toEqual([]);
  });

  test('a restart that leaves one minute silent is none; two silent minutes are', async () => {
    await works('20T10:00:00', '20T10:05:00');
    await works('20T10:06:50', '20T10:10:00');
    await works('20T10:12:00', '20T10:20:00');
    expect(await gaps('20T00:00:00', '21T00:00:00', '20T10:20:30')).toEqual(['20T10:10:00 20T10:12:00 flow']);
  });

  test('a worker that is down now is a gap up to now', async () => {
    await works('20T10:00:00', '20T10:05:00');
    expect(await gaps('20T00:00:00', '21T00:00:00', '20T10:06:59')).toEqual([]);
    expect(await gaps('20T00:00:00', '21T00:00:00', '20T10:07:15')).toEqual(['20T10:05:00 20T10:07:15 flow']);
    expect(await gaps('20T00:00:00', '20T10:06:00', '20T12:00:00')).toEqual(['20T10:05:00 20T10:06:00 flow']);
  });

  test('a gap is as long as it is, over midnights and days of which nothing is there; a range cuts it', async () => {
    await works('20T23:00:00', '20T23:57:00');
    await works('23T00:02:00', '23T00:10:00');
    const now = '23T00:10:05';
    expect(await gaps('20T00:00:00', '24T00:00:00', now)).toEqual(['20T23:57:00 23T00:02:00 flow']);
    expect(await gaps('23T00:01:30', '23T00:05:00', now)).toEqual(['23T00:01:30 23T00:02:00 flow']);
    expect(await gaps('20T23:00:00', '20T23:57:20', now)).toEqual(['20T23:57:00 20T23:57:20 flow']);
    expect(await gaps('21T10:00:00', '21T10:00:20', now)).toEqual(['21T10:00:00 21T10:00:20 flow']);
    expect(await gaps('20T23:00:00', '20T23:57:00', now)).toEqual([]);
    expect(await gaps('20T00:00:00', '24T00:00:00', now, 1)).toEqual(['22T00:10:00 23T00:02:00 flow']);
  });

  test('several instances of the worker make one flow', async () => {
    await Promise.all([works('20T10:00:00', '20T10:10:00'), works('20T10:05:00', '20T10:20:00')]);
    expect(await gaps('20T00:00:00', '21T00:00:00', '20T10:20:30')).toEqual([]);
  });

  test('a day is 180 bytes at most and goes 1,500 days after it; a minute is written once', async () => {
    const recorder = createFlowRecorder({ redis, prefix: PREFIX });
    const day = new Date().toISOString().slice(0, 10);
    await recorder.worked(Date.parse(`${day}T23:59:00Z`));
    const key = `${PREFIX}weir:flow:${day}`;
    expect(await redis.strlen(key)).toBe(180);
    expect(await redis.expiretime(key)).toBe((Date.parse(`${day}T00:00:00Z`) + 1501 * DAY) / 1000);
    await redis.del(key);
    await recorder.worked(Date.parse(`${day}T23:59:59Z`));
    expect(await redis.exists(key)).toBe(0);
  });

  test('a minute that could not be written is tried again', async () => {
    const recorder = createFlowRecorder({ redis, prefix: PREFIX });
    const key = `${PREFIX}weir:flow:2026-11-20`;
    await redis.hset(key, 'a', '1');
    await expect(recorder.worked(at('20T10:00:00'))).rejects.toThrow(/WRONGTYPE/);
    await redis.del(key);
    await recorder.worked(at('20T10:00:10'));
    expect(await redis.getbit(key, 600)).toBe(1);
  });

  test('a year of minutes, every other pair of them silent, is told in so many gaps; the last reaches to the end', async () => {
    const first = at('20T00:00:00') / DAY - 365;
    const bits = Buffer.alloc(180, 0b11001100);
    const days = Array.from({ length: 365 }, (_, n) => new Date((first + n) * DAY).toISOString().slice(0, 10));
    await redis.mset(Object.fromEntries(days.map((day) => [`${PREFIX}weir:flow:${day}`, bits])));
    await redis.set(`${PREFIX}weir:flow:since`, first * 1440);
    const flow = createFlow({ redis, prefix: PREFIX, now: () => at('20T00:00:00') });
    const found = await flow.gaps(0, at('28T00:00:00'));
    expect(found).toHaveLength(MOST_GAPS);
    expect(found[0]).toEqual({ from: first * DAY + 2 * MINUTE, to: first * DAY + 4 * MINUTE, reason: 'flow' });
    expect(found.at(-1)?.to).toBe(at('20T00:00:00'));
  });
});

describe('outages', () => {
  const all = (now = '27T00:00:00') => gaps('01T00:00:00', '28T00:00:00', now);

  test('from down to up, however often and in whatever order it is told', async () => {
    const [down, up] = [outage('down', '20T10:00:00'), outage('up', '20T10:30:00')];
    await report(up);
    expect(await all()).toEqual([]);
    for (const batch of [[down], [up, down], [outage('down', '20T10:10:00')]]) await report(...batch);
    expect(await all()).toEqual(['20T10:00:00 20T10:30:00 outage registry']);
    expect(await redis.zcard(`${PREFIX}weir:outages`)).toBe(3);
  });

  test('of services apart, and cut by the range', async () => {
    await report(
      outage('down', '20T10:00:00'),
      outage('maintenance', '20T10:10:00', { service: 'clowder' }),
      outage('up', '20T10:20:00'),
      outage('up', '20T10:40:00', { service: 'clowder' }),
    );
    expect(await gaps('20T10:05:00', '20T10:30:00', '27T00:00:00')).toEqual([
      '20T10:05:00 20T10:20:00 outage registry',
      '20T10:10:00 20T10:30:00 outage clowder',
    ]);
  });

  test('one that goes on reaches to now; nobody ends one of which the end was lost, it does so after a week', async () => {
    await report(outage('down', '10T10:00:00'));
    expect(await all('12T00:00:00')).toEqual(['10T10:00:00 12T00:00:00 outage registry']);
    expect(await all()).toEqual(['10T10:00:00 17T10:00:00 outage registry']);
    await report(outage('down', '15T10:00:00'), outage('down', '24T10:00:00'), outage('up', '24T11:00:00'));
    expect(await all()).toEqual(['10T10:00:00 22T10:00:00 outage registry', '24T10:00:00 24T11:00:00 outage registry']);
  });

  test('of a publisher that spooled is an emergency; two instances of one service do not end each other’s', async () => {
    const spooled = (state: string, time: string, id: string) =>
      outage(state, time, { service: 'weir/ingest', reason: 'spooled', outage: id });
    await report(spooled('down', '20T10:00:00', 'a'), spooled('down', '20T10:05:00', 'b'));
    await report(spooled('up', '20T10:10:00', 'a'), spooled('up', '20T10:15:00', 'b'));
    expect(await all()).toEqual([
      '20T10:00:00 20T10:10:00 emergency weir/ingest',
      '20T10:05:00 20T10:15:00 emergency weir/ingest',
    ]);
  });

  test('the latest are kept, so many of them', async () => {
    const flapping = Array.from({ length: MOST_REPORTS + 100 }, (_, n) =>
      createEvent('io.weir.outage', { service: `s${n}`, state: 'down' }, { source: 'monitor', time: new Date(at('20T10:00:00') + n) }),
    ); // prettier-ignore
    await report(...flapping.slice(1000), ...flapping.slice(0, 1000));
    expect(await redis.zcard(`${PREFIX}weir:outages`)).toBe(MOST_REPORTS);
    const [, earliest] = await redis.zrange(`${PREFIX}weir:outages`, '0', '0', 'WITHSCORES');
    expect(Number(earliest)).toBe(at('20T10:00:00') + 100);
  });

  test('other events leave nothing; a key that is something else is named', async () => {
    await report(createEvent('io.weir.pull', { repository: 'a' }, { source: 'test' }));
    expect(await redis.dbsize()).toBe(0);
    await redis.set(`${PREFIX}weir:outages`, 'x');
    await expect(report(outage('down', '20T10:00:00'))).rejects.toThrow(/Redis key p:weir:outages is no sorted set/);
  });
});
