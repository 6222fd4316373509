import { organizationOf } from '@weir/events';
import type { Redis } from 'ioredis';
import { entry } from './entry';
import { COARSE_SPACE, sources, sourcesBy, type Named } from './statistics/sources';
import { distinctKey, keptUntil, roomKeys } from './store';

/** The standard error of Redis' HyperLogLogs: 1.04 / √16384. */
export const HLL_ERROR = 0.0081;

/** What is asked: how many different sources pulled on these UTC days, `YYYY-MM-DD`, both included, in order. */
export interface UniquesQuery {
  days: readonly string[];
  /** Of one repository, as the clients named it; or of one organization, in any of its spellings. Never of both. */
  repository?: string;
  organization?: string;
}

export interface UniquesAnswer {
  /** How many sources there were on these days: an estimate. */
  sources: number;
  /**
   * The days lie in more than one month: the sources of each month were added, and one of several months is in it more
   * than once, because nothing links its pseudonyms.
   */
  atMost: boolean;
  /** The sources of each day; undefined when it is kept no longer. */
  days: readonly { day: string; sources: number | undefined }[];
  /**
   * How many repositories (organizations, when one of them is asked for) there was no room for on any of the days: what
   * is asked for may be one of them, and then its sources are more than these.
   */
  leftOut: number;
}

export interface UniqueSources {
  /** @throws Error when Redis does not answer */
  ask(query: UniquesQuery): Promise<UniquesAnswer>;
}

export interface UniquesOptions {
  redis: Redis;
  prefix: string;
  /** As the redis-worker is told (UNIQUES_DAYS). */
  keepDays: number;
  now?: () => Date;
}

/** Reads the sets of distinct sources that the counter wrote. */
export function createUniques({ redis, prefix, keepDays, now = () => new Date() }: UniquesOptions): UniqueSources {
  const keysOf = (pseudonym: 'day' | 'month', of: Named, days: readonly string[]) =>
    days.map((day) => distinctKey(prefix, sources.name, sourcesBy(pseudonym, of), day));

  /** How many distinct members each of these unions has. */
  const count = async (unions: readonly (readonly string[])[]): Promise<number[]> => {
    const asked = redis.pipeline();
    for (const keys of unions) asked.pfcount(...keys);
    return ((await asked.exec()) ?? []).map(([error, number]) => {
      if (error) throw error;
      return Number(number);
    });
  };

  return {
    async ask({ days, ...named }) {
      const of = namedOf(named);
      const kept = days.filter((day) => keptUntil(day, keepDays) * 1000 > now().getTime());
      const counts = await count(keysOf('day', of, kept).map((key) => [key]));
      const ofDay = new Map(kept.map((day, at) => [day, counts[at]]));
      const months = monthsOf(kept);
      const unions = await count(months.map((own) => keysOf('month', of, own)));
      const ofMonths = unions.map((union, at) => {
        const [first = '', ...others] = months[at] ?? [];
        // The pseudonyms of one day tell all its sources apart.
        return others.length === 0 ? (ofDay.get(first) ?? 0) : withoutCollisions(union);
      });
      return {
        sources: ofMonths.reduce((sum, each) => sum + each, 0),
        atMost: months.length > 1,
        days: days.map((day) => ({ day, sources: ofDay.get(day) })),
        leftOut: Object.keys(of).length === 0 ? 0 : await leftOut(of, kept),
      };
    },
  };

  async function leftOut(of: Named, days: readonly string[]): Promise<number> {
    if (days.length === 0) return 0;
    const rooms = days.map((day) => roomKeys(prefix, sources.name, sourcesBy('day', of), day).leftOut);
    return (await count([rooms]))[0] ?? 0;
  }
}

function namedOf({ repository, organization }: Omit<UniquesQuery, 'days'>): Named {
  if (repository !== undefined) return { repository };
  if (organization === undefined) return {};
  // What is no organization's name has never been counted; it is answered as an unknown one.
  return { organization: organizationOf({ data: { user: { organization } } }) ?? organization };
}

/** The days, month by month. */
function monthsOf(days: readonly string[]): string[][] {
  const months = new Map<string, string[]>();
  for (const day of days) entry(months, day.slice(0, 'YYYY-MM'.length), () => []).push(day);
  return [...months.values()];
}

/** Of `found` different coarse pseudonyms, how many sources they are likely to be: several fall on one. */
function withoutCollisions(found: number): number {
  const share = Math.min(found, COARSE_SPACE - 1) / COARSE_SPACE;
  return Math.round(-COARSE_SPACE * Math.log1p(-share));
}
