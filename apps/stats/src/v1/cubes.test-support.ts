import { bucketKey, descriptionsKey, formatMember, latestKey, type Description } from '@weir/usage';
import type { Redis } from 'ioredis';

/** One event for tests of asking: when, what it adds to the measures, and what its dimensions are. */
export interface Seen {
  time: string;
  measures?: Readonly<Record<string, number>>;
  dimensions?: Readonly<Record<string, string>>;
}

export const pulls: Description = {
  name: 'pulls',
  summary: 'Pulls.',
  description: 'Pulls of the tests.',
  measures: { pulls: { summary: 'A pull.' }, bytes: { summary: 'A byte.', unit: 'bytes' } },
  dimensions: { organization: 'Whose.', repository: 'Of what.', client: 'With what.' },
  groups: [['organization'], ['client'], ['organization', 'repository']],
  latest: [['organization', 'repository'], ['client']],
  keepDays: { hour: 15, day: 800 },
  names: 200_000,
  state: 'live',
  failures: 0,
};

export const volume: Description = {
  ...pulls,
  name: 'volume',
  measures: { events: { summary: 'An event.' } },
  dimensions: { type: 'Which.' },
  groups: [['type']],
  latest: [],
  state: 'filling',
  since: Date.parse('2026-11-01T00:00:00Z'),
  failures: 3,
  lastFailure: 'TypeError: no such thing',
};

/**
 * Writes descriptions and what the redis-worker would have counted: it stands in for the counting script, which tests of
 * its own hold to the same layout.
 */
export async function write(redis: Redis, prefix: string, events: readonly Seen[], description = pulls): Promise<void> {
  const commands: (string | number)[][] = [pulls, volume].map((each) => ['hset', descriptionsKey(prefix), each.name, JSON.stringify(each)]); // prettier-ignore
  const { name: statistic, groups, latest } = description;
  for (const { time, measures = { pulls: 1 }, dimensions = {} } of events) {
    const memberOf = (group: readonly string[]) => formatMember(group.map((dimension) => dimensions[dimension]));
    for (const [measure, by] of Object.entries(measures)) {
      for (const group of [[], ...groups]) {
        for (const bucket of [time.slice(0, 10), time.slice(0, 13)])
          commands.push(['zincrby', bucketKey(prefix, { statistic, measure, group }, bucket), by, memberOf(group)]);
      }
    }
    for (const group of latest)
      commands.push(['zadd', latestKey(prefix, statistic, group), 'GT', Date.parse(time), memberOf(group)]);
  }
  for (let at = 0; at < commands.length; at += 10_000) await redis.pipeline(commands.slice(at, at + 10_000)).exec();
}

/** What had no room for a name. */
export async function writeOther(redis: Redis, prefix: string, group: readonly string[], day: string, by: number): Promise<void> {
  const at = { statistic: 'pulls', measure: 'pulls' };
  await redis.zincrby(bucketKey(prefix, { ...at, group }, day), by, '*');
  await redis.zincrby(bucketKey(prefix, { ...at, group: [] }, day), by, '');
} // prettier-ignore
