import { architectureOf, organizationOf } from '@weir/events';
import type { Redis } from 'ioredis';
import { formatKey, type Metric, type UsageKey } from './keys';
import { organizationsKey } from './store';

/** What is asked of the counters of seed 000. Members that are absent do not restrict. */
export interface UsageQuery {
  metric: Metric;
  /** UTC day, `YYYY-MM-DD`. */
  day?: string;
  /** An organization in any of its spellings. */
  organization?: string;
  /** An architecture by any of its names. */
  architecture?: string;
}

/** A page of the breakdown: organizations, sorted by name, each with its count. */
export type OrganizationCounts = readonly (readonly [organization: string, count: number])[];

export interface UsageAnswer {
  /** The architecture's canonical name, when one was asked for. */
  architecture?: string;
  /**
   * Undefined when nothing restricts the question: there is no counter of everything, and the count is the sum over
   * the organizations, known when all of them have been read.
   */
  count: number | undefined;
  /** The breakdown, read as it is consumed. Each organization comes once. */
  organizations: AsyncIterable<OrganizationCounts>;
}

export interface UsageQueries {
  /** @throws Error when Redis does not answer; while the breakdown is consumed, too. */
  ask(query: UsageQuery): Promise<UsageAnswer>;
}

/** Organizations in one page, which is one ZRANGE and one MGET. */
const PAGE = 1000;

/**
 * Reads what the counter wrote. Never scans the keyspace: the organizations of a metric are listed in an index of its
 * own, whose cost does not depend on how many other keys and days there are, and which leaves none out (the peer's
 * breakdown is cut off at one scan: reference usage-metrics 1.1).
 */
export function createQueries({ redis, prefix }: { redis: Redis; prefix: string }): UsageQueries {
  const read = async (key: UsageKey): Promise<number> => Number((await redis.get(prefix + formatKey(key))) ?? 0);

  return {
    async ask({ metric, day, organization, architecture }) {
      const of = {
        metric,
        ...(day === undefined ? {} : { day }),
        ...(architecture === undefined ? {} : { architecture: architectureOf(architecture) }),
      };
      const answer = of.architecture === undefined ? {} : { architecture: of.architecture };
      if (organization !== undefined) {
        // What is no organization's name has never been counted; it is answered as an unknown one.
        const name = organizationOf({ data: { user: { organization } } });
        const count = name === undefined ? 0 : await read({ ...of, organization: name });
        return { ...answer, count, organizations: only([name ?? organization, count]) };
      }
      const total = day === undefined && architecture === undefined ? undefined : await read(of);
      return { ...answer, count: total, organizations: everyOrganization({ redis, prefix, of }) };
    },
  };
}

async function* only(entry: OrganizationCounts[number]): AsyncGenerator<OrganizationCounts> {
  yield await Promise.resolve([entry]);
}

async function* everyOrganization({
  redis,
  prefix,
  of,
}: {
  redis: Redis;
  prefix: string;
  of: UsageKey;
}): AsyncGenerator<OrganizationCounts> {
  const index = organizationsKey(prefix, of.metric);
  // By name, not by rank or cursor: what is added meanwhile neither repeats an organization nor hides one.
  for (let after = '-'; ;) {
    const names = await redis.zrangebylex(index, after, '+', 'LIMIT', 0, PAGE);
    if (names.length === 0) return;
    const keys = names.map((organization) => prefix + formatKey({ ...of, organization }));
    const counts = await redis.mget(...keys);
    const page = names.flatMap((name, at) => {
      const count = counts[at];
      return count === null || count === undefined ? [] : [[name, Number(count)] as const];
    });
    if (page.length > 0) yield page;
    if (names.length < PAGE) return;
    after = `(${names[names.length - 1]}`;
  }
}
