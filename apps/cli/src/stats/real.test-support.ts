import { createHash } from 'node:crypto';
import { isolated, startApp, type AppProcess, type Isolated } from '@weir/testing';
import { bucketKey, descriptionsKey, formatMember, latestKey, type Description } from '@weir/usage';
import { Redis } from 'ioredis';

/** The read API in a process of its own, before a real Redis that has what {@link week} says. */
export interface RealStats {
  redis: Redis;
  /** Where it is, and who may ask everything. */
  env: Record<string, string>;
  /** Credentials of the organization acme.example alone. */
  scoped: { STATS_USER: string; STATS_PASSWORD: string };
  stop(): Promise<void>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PASSWORDS = { ada: 'lovelace', grace: 'hopper' };

/** How the redis-worker describes its statistic of pulls, in short. */
export const pulls: Description = {
  name: 'pulls',
  summary: 'Pulls of images.',
  description: 'One for each manifest that was pulled.',
  measures: { pulls: { summary: 'A pull.' }, bytes: { summary: 'Bytes that were pulled.', unit: 'bytes' } },
  dimensions: {
    organization: 'Whose.',
    repository: 'Of which image.',
    client: 'With what.',
    architecture: 'For what.',
  },
  groups: [['organization'], ['repository'], ['organization', 'repository'], ['client'], ['architecture']],
  latest: [['repository']],
  keepDays: { hour: 15, day: 800 },
  names: 1000,
  state: 'live',
  failures: 0,
};

interface Pull {
  time: number;
  pulls: number;
  bytes: number;
  dimensions: Readonly<Record<string, string | undefined>>;
}

/** Each day of the last seven: 10 pulls of seqera.io, 3 of acme.example, 1 of nobody; in the seven before: 5 of seqera.io. */
export function week(now: number): Pull[] {
  const pull = (daysAgo: number, count: number, organization: string | undefined, repository: string): Pull => ({
    time: now - daysAgo * DAY_MS - 1.5 * HOUR_MS, // in none of the hours in which a range of days begins or ends
    pulls: count,
    bytes: count * 1_000_000,
    dimensions: { organization, repository, client: 'docker', architecture: organization ? 'amd64' : 'arm64' },
  });
  return Array.from({ length: 7 }, (_, day) => [
    pull(day, 10, 'seqera.io', 'seqera/nf'),
    pull(day, 3, 'acme.example', 'acme/app'),
    pull(day, 1, undefined, 'library/alpine'),
    pull(day + 7, 5, 'seqera.io', 'seqera/nf'),
  ]).flat();
}

/** Writes what the redis-worker would have written of these pulls. */
export async function write(redis: Redis, all: readonly Pull[]): Promise<void> {
  const transaction = redis.multi();
  for (const { time, dimensions, ...measures } of all) {
    const iso = new Date(time).toISOString();
    for (const [measure, by] of Object.entries(measures)) {
      for (const group of [[], ...pulls.groups]) {
        const member = formatMember(group.map((dimension) => dimensions[dimension]));
        for (const bucket of [iso.slice(0, 'YYYY-MM-DD'.length), iso.slice(0, 'YYYY-MM-DDTHH'.length)]) {
          transaction.zincrby(bucketKey('', { statistic: 'pulls', measure, group }, bucket), by, member);
        }
      }
    }
    for (const group of pulls.latest) {
      const member = formatMember(group.map((dimension) => dimensions[dimension]));
      transaction.zadd(latestKey('', 'pulls', group), 'GT', time, member);
    }
  }
  await transaction.exec();
}

export const describe = (redis: Redis, description: Description) =>
  redis.hset(descriptionsKey(''), description.name, JSON.stringify(description));

export async function startStats(): Promise<RealStats> {
  const place: Isolated = await isolated.redis();
  const redis = new Redis(place.url);
  await describe(redis, pulls);
  const app = startStatsApp(place.url);
  const url = await urlOf(app);
  return {
    redis,
    env: { STATS_URL: url, STATS_USER: 'ada', STATS_PASSWORD: PASSWORDS.ada, NO_COLOR: '1' },
    scoped: { STATS_USER: 'grace', STATS_PASSWORD: PASSWORDS.grace },
    async stop() {
      await app.stop();
      redis.disconnect();
      await place.remove();
    },
  };
}

const hash = (password: string) => createHash('sha256').update(password).digest('hex');

export const startStatsApp = (redisUrl: string): AppProcess =>
  startApp('stats', {
    REDIS_URL: redisUrl,
    STATS_PORT: '0',
    ADMIN_PORT: '0',
    STATS_USERS: `ada:${hash(PASSWORDS.ada)},grace:${hash(PASSWORDS.grace)}:acme.example`,
  });

export async function urlOf(app: AppProcess): Promise<string> {
  const { port } = await app.logged(({ msg }) => msg === 'answering');
  return `http://127.0.0.1:${String(port)}`;
}
