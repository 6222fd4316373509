import { identityHex, utcDay, type WeirEvent } from '@weir/events';
import { createBuckets } from './cube/cells';
import { createReader, type Read } from './cube/reader';
import { entry } from './entry';
import { formatCounter } from './keys';
import { layOut, type ScriptCall } from './layout';
import { createMemberCollector, type DistinctOptions } from './members';
import { isCube, isKeyed, type Cube, type Statistic, type Step } from './statistic';
import { organizationsKey, seenKey } from './store';

/** Remembered counters, and cells and names of cubes; when there are more of either, all are forgotten and made again. */
const REMEMBERED = { counters: 20_000, cells: 100_000 };

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
  /** How many events have come before in the same batch. */
  repeated: number;
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

/** A named counter. */
export interface Counter {
  key: string;
  /** The organization that it is of, and the set that has the names of all. */
  organization: { index: string; name: string } | undefined;
  /** By how much it grows in the batch in hand. */
  by: number;
}

/** A UTC day, and what of it is in the batch in hand. */
export interface Day {
  seen: string;
  /** What is one more for an event of which a statistic says this. */
  counters: Map<readonly Step[], readonly Counter[]>;
  events: WeirEvent[];
  /** Theirs, in the same order, in hexadecimal. */
  identities: string[];
}

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
  const days = new Map<string, Day>();
  const counters = new Map<string, Counter>();
  let remembered = 0;
  let touched = { days: [] as Day[], counters: [] as Counter[] };
  const identities = new Set<string>();

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

  /** Whether the event has not come before in this batch. Whatever it counts for: it may be history for another statistic one day. */
  const add = (event: WeirEvent): boolean => {
    const day = entry(days, utcDay(event), () => makeDay(utcDay(event)));
    const counted = keyed.map((statistic) => countersOf(statistic.steps(event), day, event));
    const reads = readCubes(event, event.time.slice(0, 'YYYY-MM-DDTHH'.length));
    const planned = members?.plan(event) ?? [];
    const identity = identityHex(event);
    if (identities.has(identity)) return false;
    // Nothing throws from here on: an event counts whole or not at all.
    identities.add(identity);
    if (day.events.length === 0) touched.days.push(day);
    day.events.push(event);
    day.identities.push(identity);
    for (const some of counted) some.forEach(addToCounter);
    for (const read of reads) addToCubes(read, event.time);
    members?.collect(planned);
    return true;
  };

  const addToCounter = (counter: Counter): void => {
    if (counter.by === 0) touched.counters.push(counter);
    counter.by += 1;
  };

  const addToCubes = ({ steps, latest }: Read, time: string): void => {
    for (const { cells, by } of steps) for (const cell of cells) buckets.add(cell, by);
    for (const cells of latest) for (const cell of cells) buckets.touchLatest(cell, time);
  };

  const makeDay = (day: string): Day => {
    return { seen: seenKey(prefix, day), counters: new Map(), events: [], identities: [] };
  };

  const countersOf = (steps: readonly Step[], day: Day, event: WeirEvent): readonly Counter[] => {
    if (steps.length === 0) return none;
    return entry(day.counters, steps, () => {
      remembered++;
      return steps.map((step) => counterOf(step, utcDay(event)));
    });
  };

  const counterOf = ({ measure, dimensions, resolution }: Step, day: string): Counter => {
    const key = prefix + formatCounter(measure, dimensions, resolution === 'day' ? day : undefined);
    return entry(counters, key, () => {
      const name = dimensions['o'];
      const organization = name === undefined ? undefined : { index: organizationsKey(prefix, measure), name };
      return { key, organization, by: 0 };
    });
  };

  const clear = (): void => {
    for (const day of touched.days) [day.events, day.identities] = [[], []];
    for (const counter of touched.counters) counter.by = 0;
    touched = { days: [], counters: [] };
    identities.clear();
    buckets.clear();
    members?.clear();
  };

  const readers = [...cubes, ...foreign];
  const size = (): number => readers.reduce((sum, reader) => sum + reader.size(), buckets.size());
  const forget = (): void => {
    days.clear();
    counters.clear();
    buckets.forget();
    for (const reader of readers) reader.forget();
    remembered = 0;
  };

  return (batch) => {
    if (remembered + counters.size > REMEMBERED.counters || size() > REMEMBERED.cells) forget();
    const refused: Uncountable[] = [];
    let repeated = 0;
    for (const event of batch) {
      try {
        if (!add(event)) repeated++;
      } catch (error) {
        refused.push({ event, reason: `cannot be counted: ${(error as Error).message}` });
      }
    }
    const collected = { ...touched, distinct: members?.collected() ?? { sets: [], texts: [] }, ...buckets.touched() };
    const limits = { dedupeSeconds, keepSeconds, namesADay: distinct?.namesADay ?? 0 };
    const call = touched.days.length === 0 ? undefined : layOut(collected, limits);
    clear();
    return { call, repeated, refused };
  };
}

const none: readonly Counter[] = [];
