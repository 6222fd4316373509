import type { Redis } from 'ioredis';
import { bucketDrifts, latestDrifts } from './cube/drift';
import { nameReader, type Name } from './name';
import { keysBeginning } from './scan';
import type { Statistic } from './statistic';
import { seenKey } from './store';

/** The live keys and those of a recount, which are called alike behind these prefixes. */
export interface Sides {
  redis: Redis;
  statistics: readonly Statistic[];
  /** The prefix of the live keys. */
  prefix: string;
  /** The prefix of the recount. */
  recount: string;
  /** How many latest times are kept, where the cube does not say itself (STATISTICS_NAMES). */
  names?: number;
}

/** What there is of one UTC day: how many identities live, in the recount, and in both. */
export interface DayFound {
  day: string;
  /** Whether anything live is there of this day: counters or identities. */
  live: boolean;
  counted: number;
  recounted: number;
  common: number;
}

/** One key that does not hold what the history says. */
export interface Drift {
  /** The key's name, without the prefix. */
  key: string;
  /** The value; of a set, how many members; of a bucket of a cube, the sum of its numbers. */
  expected: bigint;
  found: bigint;
}

/**
 * Every day within the window that anything is there of, live or in the recount, in order. Like everything here it is
 * exact while the counters are held.
 */
export async function findDays(sides: Sides, within: (day: string) => boolean): Promise<DayFound[]> {
  const { redis, prefix, recount } = sides;
  const live = new Map<string, boolean>();
  for await (const page of names(sides)) {
    for (const { name, isLive } of page) {
      if (name.kind !== 'seen' && name.kind !== 'counter' && name.kind !== 'bucket') continue;
      if (name.day !== undefined && within(name.day)) live.set(name.day, isLive || live.get(name.day) === true);
    }
  }
  const found: DayFound[] = [];
  for (const [day, isLive] of [...live].sort()) {
    const [mine, theirs] = [seenKey(prefix, day), seenKey(recount, day)];
    const [counted, recounted] = [await orNone(redis.scard(mine)), await orNone(redis.scard(theirs))];
    const common = counted > 0 && recounted > 0 ? await redis.sintercard(2, mine, theirs) : 0;
    found.push({ day, live: isLive, counted, recounted, common });
  }
  return found;
}

/**
 * Everything of these days that is not as the recount has it, by name.
 *
 * @param everything the recount is one of all that has ever been counted: then the counters for all time are held
 * against its own. Otherwise they are held against themselves, corrected by what is wrong with the days.
 */
export async function compare(sides: Sides, days: readonly DayFound[], everything: boolean): Promise<Drift[]> {
  const wanted = new Set(days.map(({ day }) => day));
  const drifts = new Map<string, Drift>();
  const totals = new Map<string, bigint>();
  for await (const page of names(sides)) {
    const keys = new Map<string, string | undefined>();
    const buckets = new Set<string>();
    const latest = new Set<string>();
    for (const { key, name, isLive } of page) {
      if (name.kind === 'counter' && (name.day === undefined ? everything : wanted.has(name.day))) {
        keys.set(key, name.day === undefined ? undefined : name.total);
      }
      if (name.kind === 'organizations' && !isLive) note(drifts, await indexDrift(sides, key));
      if (name.kind === 'bucket' && wanted.has(name.day)) buckets.add(key);
      if (name.kind === 'latest' && !isLive) latest.add(key);
    }
    for (const drift of await bucketDrifts(sides, [...buckets])) note(drifts, drift);
    for (const drift of await latestDrifts(sides, [...latest])) note(drifts, drift);
    for (const drift of await counterDrifts(sides, [...keys.keys()])) {
      const total = keys.get(drift.key);
      // A key comes by once as a live one and once as one of the recount.
      if (!note(drifts, drift) || everything || total === undefined) continue;
      totals.set(total, (totals.get(total) ?? 0n) + drift.expected - drift.found);
    }
  }
  for (const day of days) note(drifts, seenDrift(day));
  for (const drift of await totalDrifts(sides, totals)) note(drifts, drift);
  return [...drifts.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Whether it is a drift, and one that is new here. */
function note(drifts: Map<string, Drift>, drift: Drift): boolean {
  if (drift.expected === drift.found || drifts.has(drift.key)) return false;
  drifts.set(drift.key, drift);
  return true;
}

interface Found {
  /** Without prefix. */
  key: string;
  name: Name;
  /** Whether it is the live one; otherwise it is that of the recount. */
  isLive: boolean;
}

/** The keys of both sides, in pages. */
async function* names({ redis, statistics, prefix, recount }: Sides): AsyncGenerator<Found[]> {
  const read = nameReader(statistics);
  for await (const keys of keysBeginning(redis, prefix)) {
    yield keys.map((whole) => {
      const isLive = !whole.startsWith(recount);
      const key = whole.slice((isLive ? prefix : recount).length);
      return { key, name: read(key), isLive };
    });
  }
}

async function counterDrifts({ redis, prefix, recount }: Sides, keys: readonly string[]): Promise<Drift[]> {
  if (keys.length === 0) return [];
  const found = await redis.mget(keys.map((key) => prefix + key));
  const expected = await redis.mget(keys.map((key) => recount + key));
  return keys.map((key, at) => ({ key, expected: numberIn(expected[at]), found: numberIn(found[at]) }));
}

/** What is no number counts for nothing: no counter is there, or something else is in its place. */
function numberIn(value: string | null | undefined): bigint {
  return value != null && /^-?\d{1,18}$/.test(value) ? BigInt(value) : 0n;
}

/** An index is right when it has all that the recount has: organizations of other days are in it too. */
async function indexDrift({ redis, prefix, recount }: Sides, key: string): Promise<Drift> {
  const expected = await redis.zcard(recount + key);
  const found = await orNone(redis.zintercard(2, recount + key, prefix + key));
  return { key, expected: BigInt(expected), found: BigInt(found) };
}

/** A key that holds something else is as good as empty. */
async function orNone(members: Promise<number>): Promise<number> {
  return members.catch((error: Error) => {
    if (error.message.startsWith('WRONGTYPE')) return 0;
    throw error;
  });
}

function seenDrift({ day, counted, recounted, common }: DayFound): Drift {
  // When some are missing and some are strange, the missing ones are told.
  const found = common < recounted ? common : counted;
  return { key: seenKey('', day), expected: BigInt(recounted), found: BigInt(found) };
}

/** What is wrong with the days of a counter is wrong with the one for all time, where its statistic keeps one. */
async function totalDrifts(sides: Sides, wrong: ReadonlyMap<string, bigint>): Promise<Drift[]> {
  const { redis, prefix, recount } = sides;
  const drifts: Drift[] = [];
  for (const [key, by] of wrong) {
    const [live, counted] = await redis.mget(prefix + key, recount + key);
    if (live == null && counted == null) continue;
    const found = numberIn(live);
    drifts.push({ key, expected: found + by > 0n ? found + by : 0n, found });
  }
  return drifts;
}
