import { identityOf, utcDay, type WeirEvent } from '@weir/events';
import { createBuckets } from './cube/cells';
import { createReader, type Read } from './cube/reader';
import { entry } from './entry';
import { formatCounter } from './keys';
import { layOut, type ScriptCall } from './layout';
import { createMemberCollector, type DistinctOptions } from './members';
import { isCube, isKeyed, type Cube, type Statistic, type Step } from './statistic';
import { organizationsKey, seenKey } from './store';

/** Remembered groups, and cells and names of cubes; when there are more of either, all are forgotten and made again. */
const REMEMBERED = { groups: 20_000, cells: 300_000 };

/** How many names a bucket of a cube tells apart where nobody says. */
export const DEFAULT_NAMES = 5000;

/** An event that cannot be counted, now or later, and why. */
export interface Uncountable {
  event: WeirEvent;
  reason: string;
}

export interface Prepared {
  /** Undefined when there is nothing to count. */
  call: ScriptCall | undefined;
  refused: Uncountable[];
}

/** Cubes of somebody else: one that fails on an event counts nothing of it, and that touches nobody else. */
export interface Plugins {
  cubes: readonly Cube[];
  /** One of them threw, or what it gave is nothing that it can count. */
  failed(cube: Cube, error: Error): void;
}

export interface CountingOptions {
  statistics: readonly Statistic[];
  plugins?: Plugins;
  /** In front of every key. */
  prefix: string;
  /**
   * How long a counted event is remembered after the last new event of its day, in seconds. The same event delivered
   * again within that time is not counted again.
   */
  dedupeSeconds: number;
  /** How long all keys are kept after they were made, in seconds; as long as each says when absent. */
  keepSeconds?: number;
  /** How many names a bucket of a cube tells apart, and a set of latest times, where the cube does not say itself. */
  names?: number;
  /** How members are kept that are counted distinctly; where absent they are not looked at, as in a recount. */
  distinct?: DistinctOptions;
}

/** What events of one day for which the named counters say the same add to there: made once, used by every batch. */
interface Plan {
  seen: string;
  /** The keys of the counters that it is one more of. */
  counters: readonly string[];
  organizations: readonly { index: string; name: string }[];
}

/** Events of one hour that count alike, and their identities in the batch in hand. */
export interface Group {
  plan: Plan;
  /** What they do to each cube; their amounts aside. */
  reads: readonly Read[];
  identities: Buffer[];
  /** The amounts of the first event, then those of the second … */
  amounts: number[];
}

/** On the way to a group: from the hour through what each statistic said of the event. Remembered from batch to batch. */
interface Way {
  next: Map<readonly Step[] | Read, Way>;
  plan?: Plan;
  group?: Group;
}

const none: readonly Step[] = [];

/**
 * Turns batches of events into calls of the counter script. Work is done per event only where it must be (identity, what
 * the statistics say); names of keys and of what is counted in them are made once, and remembered.
 */
export function createPreparer({
  statistics,
  plugins,
  prefix,
  dedupeSeconds,
  keepSeconds = 0,
  names = DEFAULT_NAMES,
  distinct,
}: CountingOptions): (batch: readonly WeirEvent[]) => Prepared {
  const keyed = statistics.filter(isKeyed);
  const buckets = createBuckets({ prefix, names, now: Date.now });
  const cubes = statistics.filter(isCube).map((cube) => createReader(cube, buckets));
  const foreign = (plugins?.cubes ?? []).map((cube) => createReader(cube, buckets));
  const members = distinct && createMemberCollector(statistics, prefix, distinct);
  const hours = new Map<string, Way>();
  let remembered = 0;
  const makeWay = (): Way => {
    remembered++;
    return { next: new Map() };
  };

  /** What all cubes say of the event, where they say anything. */
  const readCubes = (event: WeirEvent, hour: string): Read[] => {
    const reads: Read[] = [];
    for (const { cube, read } of cubes) {
      const found = cube.increments(event);
      if (found.length !== 0) reads.push(read(found, hour));
    }
    for (const { cube, read } of foreign) {
      try {
        const found = cube.increments(event);
        if (found.length !== 0) reads.push(read(found, hour));
      } catch (error) {
        plugins?.failed(cube, error instanceof Error ? error : new Error(String(error)));
      }
    }
    return reads;
  };

  const add = (event: WeirEvent, groups: Group[]): void => {
    const hour = event.time.slice(0, 'YYYY-MM-DDTHH'.length);
    const lists = keyed.map((statistic) => {
      const list = statistic.steps(event);
      return list.length === 0 ? none : list;
    });
    const reads = readCubes(event, hour);
    const planned = members?.plan(event) ?? [];
    // Whatever it counts for: it may be history for another statistic one day.
    addTo(groupOf(lists, reads, hour), event, groups);
    members?.collect(planned);
  };

  /** The group of events for which all statistics say this: a remembered one, where there can be more than one. */
  const groupOf = (lists: readonly (readonly Step[])[], reads: readonly Read[], hour: string): Group => {
    let way = entry(hours, hour, makeWay);
    for (const list of lists) way = entry(way.next, list, makeWay);
    const plan = (way.plan ??= planOf(lists.flat(), utcDay({ time: hour })));
    if (!reads.every(({ shared }) => shared)) return { plan, reads, identities: [], amounts: [] };
    for (const read of reads) way = entry(way.next, read, makeWay);
    return (way.group ??= { plan, reads, identities: [], amounts: [] });
  };

  /** Adds the event to its group, and the group to those of the batch when it is the first. */
  const addTo = (group: Group, event: WeirEvent, groups: Group[]): void => {
    if (group.identities.length === 0) {
      groups.push(group);
      for (const { ones, others } of group.reads) {
        ones.forEach(buckets.touch);
        for (const cells of others) cells.forEach(buckets.touch);
      }
    }
    group.identities.push(identityOf(event));
    for (const { amounts, latest } of group.reads) {
      for (const amount of amounts) group.amounts.push(amount);
      for (const cell of latest) buckets.touchLatest(cell, event.time);
    }
  };

  const planOf = (steps: readonly Step[], day: string): Plan => {
    const organizations = new Map<string, Plan['organizations'][number]>();
    const counters = steps.map(({ measure, dimensions, resolution }) => {
      const name = dimensions['o'];
      if (name !== undefined) {
        organizations.set(`${measure} ${name}`, { index: organizationsKey(prefix, measure), name });
      }
      return prefix + formatCounter(measure, dimensions, resolution === 'day' ? day : undefined);
    });
    return { seen: seenKey(prefix, day), counters, organizations: [...organizations.values()] };
  };

  const readers = [...cubes, ...foreign];
  const size = (): number => readers.reduce((sum, reader) => sum + reader.size(), buckets.size());
  const forget = (): void => {
    hours.clear();
    buckets.forget();
    for (const reader of readers) reader.forget();
    remembered = 0;
  };

  return (batch) => {
    if (remembered > REMEMBERED.groups || size() > REMEMBERED.cells) forget();
    const groups: Group[] = [];
    const refused: Uncountable[] = [];
    for (const event of batch) {
      try {
        add(event, groups);
      } catch (error) {
        refused.push({ event, reason: `cannot be counted: ${(error as Error).message}` });
      }
    }
    const collected = { groups, distinct: members?.collected() ?? { sets: [], texts: [] }, ...buckets.touched() };
    const limits = { dedupeSeconds, keepSeconds, namesADay: distinct?.namesADay ?? 0 };
    const call = groups.length + collected.distinct.sets.length === 0 ? undefined : layOut(collected, limits);
    for (const group of groups) {
      group.identities = [];
      group.amounts = [];
    }
    buckets.clear();
    members?.clear();
    return { call, refused };
  };
}
