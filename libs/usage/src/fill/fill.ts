import { randomBytes } from 'node:crypto';
import { utcDay, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter } from '../counter';
import { descriptionsKey } from '../cube/question';
import type { Hold } from '../hold';
import { sortedByLive } from '../seen';
import type { Cube } from '../statistic';
import { fillKey, fillPrefix, seenKey } from '../store';
import { describe, readDescription } from './describe';
import { liveText, liveWith, readLive, versionOf } from './live';
import { switchOn, type FilledCube, type FilledDay } from './switch';

/** New cubes on their way to being counted: filled beside the live counting, and then put on the list. */
export interface Fill {
  /**
   * Counts those of these events of the history that are counted live. What is not counted live yet waits here until it
   * is; see {@link again}.
   *
   * @throws Error when Redis does not answer
   */
  take(events: readonly WeirEvent[], age?: Age): Promise<void>;
  /** How many events wait. */
  waiting(): number;
  /** Looks again at those that wait. @returns how many have been counted */
  again(): Promise<number>;
  /** Waits for these no longer: nothing counts them any more. */
  giveUp(): void;
  /** The UTC days of which anything was counted, in order. */
  days(): readonly string[];
  /** Whether everything that is counted live of this day has been taken. Some moments may pass until the history has it. */
  hasAllOf(day: string): Promise<boolean>;
  /**
   * Puts the cubes on the list of those that are counted, with what was counted here, in one step. What still waits is
   * counted live, when it is.
   *
   * @param since Unix ms of the oldest event that there was in the history, where it does not have all
   * @throws Error when the hold was lost, or when somebody else has changed the list: then all was in vain
   */
  finish(hold: Hold, days: readonly FilledDay[], since: number | undefined): Promise<void>;
}

/**
 * What it means when the live counters do not know an event: it waits in their queue (`fresh`), it has passed them and
 * was not counted (`settled`), or they have counted it so long ago that they may have forgotten it (`forgotten`).
 */
export type Age = 'fresh' | 'settled' | 'forgotten';

export interface FillOptions {
  redis: Redis;
  /** The prefix of the live keys. */
  prefix: string;
  cubes: readonly Cube[];
  /** All cubes that this worker knows. */
  all: readonly Cube[];
  storeId: string;
  /** How many names a bucket tells apart, where the cube does not say itself. */
  names: number;
  /** A cube threw; it does not count the event, as it does not when it throws on a live one. */
  failed(cube: Cube, error: Error): void;
}

/** How long what a filling has counted is kept; for how long one that was interrupted can be gone on with. */
const KEEP_SECONDS = 3 * 24 * 3600;
const RESUME_MS = 24 * 3600 * 1000;
const LONGEST_MS = (KEEP_SECONDS - 12 * 3600) * 1000;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Begins to fill these cubes, or goes on with a filling of the same ones that was interrupted: the history is read from
 * its beginning again then, and what was counted before is known by its identity.
 */
export async function startFill(options: FillOptions): Promise<Fill> {
  const { redis, prefix, cubes, names, failed } = options;
  const { id, begun, text: job } = await jobOf(redis, prefix, cubes);
  const staged = fillPrefix(prefix, id);
  const filled = cubes.map((cube) => ({ cube, from: firstDayOf(cube, begun) }));
  const counter = createCounter({
    redis,
    statistics: [],
    plugins: { cubes: filled.map(bounded), failed },
    prefix: staged,
    dedupeSeconds: KEEP_SECONDS,
    keepSeconds: KEEP_SECONDS,
    names,
  });
  const days = new Set<string>();
  let waiting: readonly WeirEvent[] = [];

  const count = async (events: readonly WeirEvent[]): Promise<void> => {
    if (Date.now() - begun > LONGEST_MS)
      throw new Error('the filling takes too long: give the statistic fewer historyDays');
    if (events.length === 0) return;
    for (const event of events) days.add(utcDay(event));
    await counter.count(events);
  };

  return {
    async take(events, age = 'fresh') {
      if (age === 'forgotten') return count(events);
      const { known, unknown } = await sortedByLive(redis, prefix, events);
      await count(known);
      if (age === 'fresh' && unknown.length > 0) waiting = [...waiting, ...unknown];
    },
    waiting: () => waiting.length,
    async again() {
      const { known, unknown } = await sortedByLive(redis, prefix, waiting);
      await count(known);
      waiting = unknown;
      return known.length;
    },
    giveUp: () => void (waiting = []),
    days: () => [...days].sort(),
    async hasAllOf(day) {
      const [live, own] = await Promise.all([prefix, staged].map((side) => redis.scard(seenKey(side, day))));
      return (own ?? 0) >= (live ?? 0);
    },
    async finish(hold, filledDays, since) {
      const { text } = await readLive(redis, prefix, options.all);
      const to = liveWith(text, cubes);
      const descriptions = await described(options, filled, since);
      const done = await switchOn({
        redis, prefix, staged, hold, storeId: options.storeId, job, from: text, to, cubes: filled, days: filledDays, descriptions, names,
      }); // prettier-ignore
      if (!done) throw new Error('the hold on the counters was lost, or what is counted has been changed meanwhile');
      await redis.unlink(fillKey(prefix), ...[...days].map((day) => seenKey(staged, day)));
    },
  };
}

interface Job {
  id: string;
  /** Unix ms. */
  begun: number;
  /** As it stands in Redis. Who removes it has the filling begun anew. */
  text: string;
}

/** The same cubes in the same versions are the same filling; after a day it is begun anew, before its keys go. */
async function jobOf(redis: Redis, prefix: string, cubes: readonly Cube[]): Promise<Job> {
  const key = fillKey(prefix);
  const wanted = liveText(cubes.map(versionOf));
  const text = (await redis.get(key)) ?? '';
  const [id = '', begun = '', before] = text.split('\n');
  if (before === wanted && Date.now() - Number(begun) < RESUME_MS) return { id, begun: Number(begun), text };
  const fresh = { id: randomBytes(6).toString('hex'), begun: Date.now() };
  const job = { ...fresh, text: [fresh.id, fresh.begun, wanted].join('\n') };
  await redis.set(key, job.text, 'EX', KEEP_SECONDS);
  return job;
}

/** The first UTC day that a cube wants of the history: the empty text when it wants all, one that never comes for none. */
export function firstDayOf({ historyDays }: Cube, now: number): string {
  if (historyDays === undefined) return '';
  return historyDays === 0 ? NEVER : utcDay({ time: new Date(now - historyDays * DAY_MS).toISOString() });
}

const NEVER = '9999-12-31';

/** The cube, without what is before its history. */
function bounded({ cube, from }: { cube: Cube; from: string }): Cube {
  return { ...cube, increments: (event) => (utcDay(event) < from ? [] : cube.increments(event)) };
}

/** What the cubes say of themselves from now on. What one had before goes on to be there, so its beginning does too. */
async function described(
  { redis, prefix, names }: FillOptions,
  filled: readonly FilledCube[],
  since: number | undefined,
) {
  const before = await redis.hmget(descriptionsKey(prefix), ...filled.map(({ cube }) => cube.name));
  return filled.map(({ cube, from }, at) => {
    const found = readDescription(before[at]);
    const begins = beginningOf(from, since);
    const both = found?.since !== undefined && begins !== undefined ? Math.min(found.since, begins) : undefined;
    const told = found === undefined ? begins : both;
    return describe(cube, {
      state: 'live',
      names,
      failures: found?.failures ?? 0,
      ...(told === undefined ? {} : { since: told }),
      ...(found?.lastFailure === undefined ? {} : { lastFailure: found.lastFailure }),
    });
  });
}

function beginningOf(from: string, since: number | undefined): number | undefined {
  if (from === '') return since;
  return from === NEVER ? Date.now() : Math.max(Date.parse(from), since ?? 0);
}
