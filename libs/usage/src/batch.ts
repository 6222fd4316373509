import { identityOf, utcDay, type WeirEvent } from '@weir/events';
import { createCache } from './cache';
import { IDENTITY_BYTES } from './counter.lua';
import { formatCounter } from './keys';
import type { Increment, Statistic } from './statistic';
import { namespaceOf, organizationsKey, seenKey } from './store';

/** Remembered keys of combinations of increments and day; each is one to two kilobytes. */
const CACHED_PLANS = 10_000;

/** A batch as the counter script takes it: its KEYS and its ARGV. */
export interface ScriptCall {
  keys: string[];
  layout: string;
  identities: Buffer;
  /** Events in it: those that any statistic counts. */
  events: number;
}

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

/** What a group of events that count alike adds to: made once, used by every batch. */
interface Plan {
  seen: string;
  counters: { key: string; by: number }[];
  organizations: { index: string; name: string }[];
}

interface Group {
  plan: Plan;
  identities: Buffer[];
}

/**
 * Turns batches of events into calls of the counter script. Work is done per event only where it must be (identity,
 * increments); names of keys are made once for all events that count alike on one day, and remembered.
 */
export function createPreparer({
  statistics,
  prefix,
  dedupeSeconds,
}: {
  statistics: readonly Statistic[];
  prefix: string;
  dedupeSeconds: number;
}): (batch: readonly WeirEvent[]) => Prepared {
  const plans = createCache<Plan>(CACHED_PLANS);
  const numberOf = numbering();

  /** Puts the event into its group; events of one group have the same increments on the same day. */
  const add = (event: WeirEvent, groups: Map<string, Group>): void => {
    const day = utcDay(event);
    let name = day;
    const lists: (readonly Increment[])[] = [];
    for (const statistic of statistics) {
      const list = statistic.increments(event);
      lists.push(list);
      name += list.length === 0 ? ' ' : ` ${numberOf(list)}`;
    }
    if (lists.every((list) => list.length === 0)) return;
    let group = groups.get(name);
    if (!group) {
      let plan = plans.get(name);
      if (!plan) plans.set(name, (plan = planOf(statistics, lists, day, prefix)));
      groups.set(name, (group = { plan, identities: [] }));
    }
    group.identities.push(identityOf(event));
  };

  return (batch) => {
    const groups = new Map<string, Group>();
    const refused: Uncountable[] = [];
    for (const event of batch) {
      try {
        add(event, groups);
      } catch (error) {
        refused.push({ event, reason: `cannot be counted: ${(error as Error).message}` });
      }
    }
    return { call: groups.size === 0 ? undefined : callOf([...groups.values()], dedupeSeconds), refused };
  };
}

/** Gives each array of increments a number of its own for as long as somebody holds the array. */
function numbering(): (list: readonly Increment[]) => number {
  const numbers = new WeakMap<readonly Increment[], number>();
  let last = 0;
  return (list) => {
    let number = numbers.get(list);
    if (number === undefined) numbers.set(list, (number = ++last));
    return number;
  };
}

function planOf(
  statistics: readonly Statistic[],
  lists: readonly (readonly Increment[])[],
  day: string,
  prefix: string,
): Plan {
  const counters: Plan['counters'] = [];
  const organizations = new Map<string, Plan['organizations'][number]>();
  statistics.forEach((statistic, at) => {
    for (const { measure, dimensions, resolution, by } of lists[at] ?? []) {
      if (!Number.isSafeInteger(by)) throw new RangeError(`${statistic.name} counts by ${by}, not by a whole number`);
      const counter = formatCounter(measure, dimensions, resolution === 'day' ? day : undefined);
      counters.push({ key: `${prefix}${namespaceOf(statistic)}${counter}`, by });
      const name = dimensions['o'];
      if (!statistic.bare || name === undefined) continue;
      organizations.set(`${measure} ${name}`, { index: organizationsKey(prefix, measure), name });
    }
  });
  return { seen: seenKey(prefix, day), counters, organizations: [...organizations.values()] };
}

function callOf(groups: readonly Group[], dedupeSeconds: number): ScriptCall {
  const sets = positions();
  const indexes = positions();
  const counters = positions();
  const identities: Buffer[] = [];
  const layout = groups.map(({ plan, identities: own }) => {
    identities.push(...own);
    const numbers = [sets.of(plan.seen), own.length];
    for (const { key, by } of plan.counters) numbers.push(counters.of(key), by);
    return numbers;
  });
  const members = groups.map(({ plan }) => plan.organizations.flatMap(({ index, name }) => [indexes.of(index), name]));
  return {
    keys: [...sets.keys(), ...indexes.keys(), ...counters.keys()],
    layout: JSON.stringify({
      seen: sets.size(),
      indexes: indexes.size(),
      ttl: dedupeSeconds,
      groups: layout,
      members,
    }),
    identities: Buffer.concat(identities, identities.length * IDENTITY_BYTES),
    events: identities.length,
  };
}

/** Numbers distinct keys from 1, in the order in which they come, as Lua counts. */
function positions() {
  const known = new Map<string, number>();
  return {
    of(key: string): number {
      let position = known.get(key);
      if (position === undefined) known.set(key, (position = known.size + 1));
      return position;
    },
    size: () => known.size,
    keys: () => known.keys(),
  };
}
