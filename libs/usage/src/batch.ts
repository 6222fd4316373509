import { identityOf, utcDay, type WeirEvent } from '@weir/events';
import { createBuckets, type Cell, type LatestCell } from './cube/buckets';
import { createEffects, type Effect, type Read } from './cube/effect';
import { entry } from './entry';
import { formatCounter } from './keys';
import { layOut, type ScriptCall } from './layout';
import { createMemberCollector, type DistinctOptions } from './members';
import { isCube, isKeyed, type Cube, type Statistic, type Step } from './statistic';
import { organizationsKey, seenKey } from './store';

/** Remembered groups and cells; when there are more of either, all are forgotten and made again. */
const REMEMBERED = { groups: 20_000, cells: 200_000 };

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

/** What a group of events that count alike adds to: made once, used by every batch. */
interface Plan {
  seen: string;
  /** The keys of the counters that it is one more of. */
  counters: readonly string[];
  organizations: readonly { index: string; name: string }[];
  /** The cells that it is one more in; then for each of an event's other amounts those that grow by it. */
  cells: readonly (readonly Cell[])[];
  latest: readonly LatestCell[];
}

/** Events of one hour that count alike, and their identities in the batch in hand. */
export interface Group {
  plan: Plan;
  identities: Buffer[];
  /** The amounts other than one: those of the first event, then those of the second … */
  amounts: number[];
}

/** On the way to a group: from the hour through what each statistic said of the event. Remembered from batch to batch. */
interface Way {
  next: Map<readonly Step[] | Effect, Way>;
  group?: Group;
}

const none: readonly Step[] = [];

/**
 * Turns batches of events into calls of the counter script. Work is done per event only where it must be (identity, what
 * the statistics say); names of keys are made once for all events that count alike in one hour, and remembered.
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
  const cubes = statistics.filter(isCube).map(withEffects);
  const foreign = (plugins?.cubes ?? []).map(withEffects);
  const members = distinct && createMemberCollector(statistics, prefix, distinct);
  const buckets = createBuckets({ prefix, names, now: Date.now });
  const hours = new Map<string, Way>();
  let remembered = 0;
  const makeWay = (): Way => {
    remembered++;
    return { next: new Map() };
  };

  /** What all cubes say of the event, where they say anything. */
  const readCubes = (event: WeirEvent): Read[] => {
    const reads: Read[] = [];
    for (const { cube, read } of cubes) {
      const found = cube.increments(event);
      if (found.length !== 0) reads.push(read(found));
    }
    for (const { cube, read } of foreign) {
      try {
        const found = cube.increments(event);
        if (found.length !== 0) reads.push(read(found));
      } catch (error) {
        plugins?.failed(cube, error instanceof Error ? error : new Error(String(error)));
      }
    }
    return reads;
  };

  const add = (event: WeirEvent, groups: Group[]): void => {
    const lists = keyed.map((statistic) => {
      const list = statistic.steps(event);
      return list.length === 0 ? none : list;
    });
    const reads = readCubes(event);
    const planned = members?.plan(event) ?? [];
    addTo(groups, lists, reads, event); // whatever it counts for: it may be history for another statistic one day
    members?.collect(planned);
  };

  /** Adds the event to its group, and the group to those of the batch when it is the first. */
  const addTo = (
    groups: Group[],
    lists: readonly (readonly Step[])[],
    reads: readonly Read[],
    event: WeirEvent,
  ): void => {
    const hour = event.time.slice(0, 'YYYY-MM-DDTHH'.length);
    let way = entry(hours, hour, makeWay);
    for (const list of lists) way = entry(way.next, list, makeWay);
    for (const { effect } of reads) way = entry(way.next, effect, makeWay);
    const group = (way.group ??= { plan: planOf(lists, reads, event, hour), identities: [], amounts: [] });
    if (group.identities.length === 0) {
      groups.push(group);
      for (const cells of group.plan.cells) cells.forEach(buckets.touch);
    }
    group.identities.push(identityOf(event));
    for (const { amounts } of reads) for (const amount of amounts) group.amounts.push(amount);
    for (const cell of group.plan.latest) buckets.touchLatest(cell, event.time);
  };

  const planOf = (
    lists: readonly (readonly Step[])[],
    reads: readonly Read[],
    event: WeirEvent,
    hour: string,
  ): Plan => {
    const day = utcDay(event);
    const organizations = new Map<string, Plan['organizations'][number]>();
    const counters = lists.flat().map(({ measure, dimensions, resolution }) => {
      const name = dimensions['o'];
      if (name !== undefined) {
        organizations.set(`${measure} ${name}`, { index: organizationsKey(prefix, measure), name });
      }
      return prefix + formatCounter(measure, dimensions, resolution === 'day' ? day : undefined);
    });
    const ones = reads.flatMap(({ effect }) => buckets.cellsOf(effect.ones, hour));
    const others = reads.flatMap(({ effect }) => effect.others.map((places) => buckets.cellsOf(places, hour)));
    const latest = reads.flatMap(({ effect }) => buckets.latestOf(effect.latest));
    const cells = [ones, ...others];
    return { seen: seenKey(prefix, day), counters, organizations: [...organizations.values()], cells, latest };
  };

  const forget = (): void => {
    hours.clear();
    buckets.forget();
    remembered = 0;
  };

  return (batch) => {
    if (remembered > REMEMBERED.groups || buckets.size() > REMEMBERED.cells) forget();
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

const withEffects = (cube: Cube) => ({ cube, read: createEffects(cube) });
