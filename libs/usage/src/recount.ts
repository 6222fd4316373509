import { randomBytes } from 'node:crypto';
import { utcDay, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter } from './counter';
import { keysBeginning } from './scan';
import { sortedByLive } from './seen';
import type { Cube, Statistic } from './statistic';
import { recountsPrefix } from './store';

/** The same counting as that of the redis-worker, into keys of its own beside the live ones. */
export interface Recount {
  /** What stands in front of its keys; behind it they are called as the live ones. */
  prefix: string;
  /** Counts events, each identity once. */
  count(events: readonly WeirEvent[]): Promise<void>;
  /** {@link count} of those that have been counted live: for comparing counters that lag behind the history. */
  countLive(events: readonly WeirEvent[]): Promise<void>;
  /** The UTC days that events were counted of. */
  days(): ReadonlySet<string>;
  /** Removes all its keys. What it does not come to goes by itself within three days. */
  remove(): Promise<void>;
}

export interface RecountOptions {
  redis: Redis;
  /** The prefix of the live keys. */
  prefix: string;
  statistics: readonly Statistic[];
  /** Cubes of somebody else: one that throws does not count the event, as it does not live. */
  plugins?: readonly Cube[];
  /** As the redis-worker is told (STATISTICS_NAMES). */
  names?: number;
}

/** How long the keys of a recount are kept: much longer than one takes, for one that lost keys would be wrong. */
const KEEP_SECONDS = 3 * 24 * 3600;
const LONGEST_MS = KEEP_SECONDS * 500;
/** How long a recount counts as alive that gives no more signs of life, and how often it gives one. */
const ALIVE = { seconds: 120, everyMs: 30_000 };

/** Begins a recount, and clears away what recounts have left behind whose process has ended. */
export async function startRecount({
  redis,
  prefix,
  statistics,
  plugins = [],
  names,
}: RecountOptions): Promise<Recount> {
  await removeLeftovers(redis, prefix);
  const own = `${recountsPrefix(prefix)}${randomBytes(6).toString('hex')}:`;
  const alive = () => redis.set(aliveKey(own), '1', 'EX', ALIVE.seconds);
  await alive();
  const breathing = setInterval(() => void alive().catch(() => {}), ALIVE.everyMs);
  const counter = createCounter({
    redis,
    statistics,
    plugins: { cubes: plugins, failed: () => {} },
    prefix: own,
    dedupeSeconds: KEEP_SECONDS,
    keepSeconds: KEEP_SECONDS,
    ...(names === undefined ? {} : { names }),
  });
  const days = new Set<string>();
  const begun = Date.now();

  const count = async (events: readonly WeirEvent[]): Promise<void> => {
    if (Date.now() - begun > LONGEST_MS) throw new Error('the recount takes too long: choose fewer days');
    for (const event of events) days.add(utcDay(event));
    await counter.count(events);
  };
  return {
    prefix: own,
    count,
    countLive: async (events) => count((await sortedByLive(redis, prefix, events)).known),
    days: () => days,
    async remove() {
      clearInterval(breathing);
      await unlinkAll(redis, own);
    },
  };
}

const aliveKey = (own: string): string => `${own}weir:alive`;

async function removeLeftovers(redis: Redis, prefix: string): Promise<void> {
  const all = recountsPrefix(prefix);
  const alive = new Map<string, boolean>();
  for await (const keys of keysBeginning(redis, all)) {
    for (const key of keys) {
      const own = key.slice(0, key.indexOf(':', all.length) + 1);
      if (!alive.has(own)) alive.set(own, (await redis.exists(aliveKey(own))) === 1);
    }
    const left = keys.filter((key) => !alive.get(key.slice(0, key.indexOf(':', all.length) + 1)));
    if (left.length > 0) await redis.unlink(...left);
  }
}

async function unlinkAll(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of keysBeginning(redis, prefix)) await redis.unlink(...keys);
}
