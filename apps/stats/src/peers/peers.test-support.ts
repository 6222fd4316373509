import { randomUUID } from 'node:crypto';
import type { WeirEvent } from '@weir/events';
import {
  bucketKey,
  createCounter,
  createCubes,
  descriptionsKey,
  formatMember,
  KEEP_DAYS,
  latestKey,
  type Cube,
  type Description,
} from '@weir/usage';
import type { Redis } from 'ioredis';
import type { TestApi } from '../api.test-support';

/** What an event adds to a statistic. */
export interface Seen {
  time: string;
  measures: Readonly<Record<string, number>>;
  dimensions: Readonly<Record<string, string | undefined>>;
}

/** Serves what statistics have counted of exactly these events. Resolves with the address. */
export async function serveEvents(api: TestApi, cubes: readonly Cube[], events: readonly WeirEvent[], now: Date): Promise<string> {
  const prefix = `${randomUUID()}:`;
  await createCounter({ redis: api.writing, statistics: cubes, prefix, dedupeSeconds: 1000 }).count(events);
  for (const cube of cubes) {
    const { name, summary, description, measures, dimensions, groups, latest = [], keepDays = KEEP_DAYS, names = 5000 } = cube;
    const written: Description = { name, summary, description, measures, dimensions, groups, latest, keepDays, names, state: 'live', failures: 0 };
    await api.writing.hset(descriptionsKey(prefix), cube.name, JSON.stringify(written));
  }
  return served(api, prefix, now);
} // prettier-ignore

/** Serves what there is of one statistic, whenever that was. Resolves with the address. */
export async function serve(api: TestApi, description: Description, seen: readonly Seen[], now: Date): Promise<string> {
  const prefix = `${randomUUID()}:`;
  await write(api.writing, prefix, description, seen);
  return served(api, prefix, now);
}

function served(api: TestApi, prefix: string, now: Date): Promise<string> {
  const cubes = createCubes({ redis: api.reading.redis, prefix, now: () => now });
  return api.serve({ prefix, v1: { cubes, now: () => now.getTime() } });
}

/**
 * Writes what the redis-worker would have written. It stands in for the counting script, which tests of its own hold to
 * the same layout, where a test needs days that the clock of Redis has left behind.
 */
async function write(redis: Redis, prefix: string, description: Description, seen: readonly Seen[]): Promise<void> {
  const { name: statistic, groups, latest } = description;
  const sums = new Map<string, number>();
  const commands: (string | number)[][] = [['hset', descriptionsKey(prefix), statistic, JSON.stringify(description)]];
  for (const { time, measures, dimensions } of seen) {
    const memberOf = (group: readonly string[]) => formatMember(group.map((dimension) => dimensions[dimension]));
    for (const [measure, by] of Object.entries(measures)) {
      for (const group of [[], ...groups]) {
        for (const bucket of [time.slice(0, 10), time.slice(0, 13)]) {
          const cell = `${bucketKey(prefix, { statistic, measure, group }, bucket)} ${memberOf(group)}`;
          sums.set(cell, (sums.get(cell) ?? 0) + by);
        }
      }
    }
    for (const group of latest)
      commands.push(['zadd', latestKey(prefix, statistic, group), 'GT', Date.parse(time), memberOf(group)]);
  }
  for (const [cell, sum] of sums) {
    const [key = '', member = ''] = cell.split(' ');
    commands.push(['zincrby', key, sum, member]);
  }
  for (let at = 0; at < commands.length; at += 5000) await redis.pipeline(commands.slice(at, at + 5000)).exec();
}
