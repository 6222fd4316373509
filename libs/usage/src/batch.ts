import { identityOf, utcDay, type WeirEvent } from '@weir/events';
import { entry } from './entry';
import { formatCounter } from './keys';
import { createMemberCollector, type DistinctOptions, type MemberCollector } from './members';
import { isKeyed, type Statistic, type Step } from './statistic';
import { organizationsKey, seenKey, type RoomKeys } from './store';

/** Remembered ways to keys, each of one or two kilobytes; when there are more, all are forgotten and made again. */
const REMEMBERED = 20_000;

/** A batch as the counter script takes it: its KEYS and its ARGV. */
export interface ScriptCall {
  keys: string[];
  args: (Buffer | string)[];
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
  /** The keys of the counters that it is one more of. */
  counters: readonly string[];
  organizations: readonly { index: string; name: string }[];
}

/**
 * Events that count alike on one day, found by walking from the day through what each statistic returned for them. The
 * way and its plan are remembered from batch to batch; the identities are those of the batch in hand.
 */
interface Group {
  next: Map<readonly Step[], Group>;
  plan?: Plan;
  identities: Buffer[];
}

const none: readonly Step[] = [];

/**
 * Turns batches of events into calls of the counter script. Work is done per event only where it must be (identity,
 * steps); names of keys are made once for all events that count alike on one day, and remembered.
 */
export function createPreparer({
  statistics,
  prefix,
  dedupeSeconds,
  keepSeconds = 0,
  distinct,
}: {
  statistics: readonly Statistic[];
  prefix: string;
  dedupeSeconds: number;
  /** How long counters are kept after they were made, seconds; 0 for ever. */
  keepSeconds?: number;
  /** How distinct members are kept; where absent they are not looked at. */
  distinct?: DistinctOptions;
}): (batch: readonly WeirEvent[]) => Prepared {
  const counting = statistics.filter(isKeyed);
  const members = distinct && createMemberCollector(statistics, prefix, distinct);
  const days = new Map<string, Group>();
  let remembered = 0;
  const makeGroup = (): Group => {
    remembered++;
    return { next: new Map(), identities: [] };
  };

  const add = (event: WeirEvent, groups: Group[]): void => {
    const lists = counting.map((statistic) => {
      const list = statistic.steps(event);
      return list.length === 0 ? none : list;
    });
    const planned = members?.plan(event) ?? [];
    if (lists.some((list) => list !== none)) addTo(groups, lists, event);
    members?.collect(planned);
  };

  /** Adds the event to its group, and the group to those of the batch when it is the first. */
  const addTo = (groups: Group[], lists: readonly (readonly Step[])[], event: WeirEvent): void => {
    const day = utcDay(event);
    let group = entry(days, day, makeGroup);
    for (const list of lists) group = entry(group.next, list, makeGroup);
    group.plan ??= planOf(lists.flat(), day, prefix);
    if (group.identities.length === 0) groups.push(group);
    group.identities.push(identityOf(event));
  };

  return (batch) => {
    if (remembered > REMEMBERED) {
      days.clear();
      remembered = 0;
    }
    const groups: Group[] = [];
    const refused: Uncountable[] = [];
    for (const event of batch) {
      try {
        add(event, groups);
      } catch (error) {
        refused.push({ event, reason: `cannot be counted: ${(error as Error).message}` });
      }
    }
    const collected = members?.collected() ?? { sets: [], texts: [] };
    const limits = { dedupeSeconds, keepSeconds, namesADay: distinct?.namesADay ?? 0 };
    const call =
      groups.length + collected.sets.length === 0 ? undefined : callOf(groups as PlannedGroup[], collected, limits);
    for (const group of groups) group.identities = [];
    members?.clear();
    return { call, refused };
  };
}

type PlannedGroup = Group & { plan: Plan };

function planOf(steps: readonly Step[], day: string, prefix: string): Plan {
  const organizations = new Map<string, Plan['organizations'][number]>();
  const counters = steps.map(({ measure, dimensions, resolution }) => {
    const name = dimensions['o'];
    if (name !== undefined) organizations.set(`${measure} ${name}`, { index: organizationsKey(prefix, measure), name });
    return prefix + formatCounter(measure, dimensions, resolution === 'day' ? day : undefined);
  });
  return { seen: seenKey(prefix, day), counters, organizations: [...organizations.values()] };
}

interface Limits {
  dedupeSeconds: number;
  keepSeconds: number;
  namesADay: number;
}

/** Lays the groups and the sets of distinct members out as `counter.lua.ts` describes. */
function callOf(groups: readonly PlannedGroup[], distinct: Collected, limits: Limits): ScriptCall {
  const sets = new Map<string, PlannedGroup[]>();
  const indexes = new Map<string, Set<string>>();
  for (const group of groups) {
    entry(sets, group.plan.seen, () => []).push(group);
    for (const { index, name } of group.plan.organizations) entry(indexes, index, () => new Set()).add(name);
  }
  const names = [...indexes.values()].flatMap((own) => [...own]);
  const { rooms, layout: distinctLayout, texts } = layOut(distinct, BEFORE_NAMES + names.length);

  const layout = [limits.dedupeSeconds, limits.keepSeconds, sets.size, indexes.size];
  layout.push(rooms.length, distinct.sets.length, limits.namesADay);
  for (const own of indexes.values()) layout.push(own.size);
  for (const number of distinctLayout) layout.push(number);
  const counters = new Map<string, number>();
  const identities: Buffer[] = [];
  for (const own of sets.values()) {
    layout.push(own.length);
    for (const { plan, identities: members } of own) {
      for (const member of members) identities.push(member);
      layout.push(members.length, plan.counters.length);
      for (const key of plan.counters) layout.push(entry(counters, key, () => counters.size + 1));
    }
  }
  return {
    keys: [
      ...sets.keys(),
      ...indexes.keys(),
      ...rooms.map(({ leftOut }) => leftOut),
      ...distinct.sets.map(({ key }) => key),
      ...rooms.map(({ taken }) => taken),
      ...counters.keys(),
    ],
    args: [packNumbers(layout), Buffer.concat(identities), '', ...names, ...texts],
    events: identities.length,
  };
}

type Collected = ReturnType<MemberCollector['collected']>;

/** Arguments of the script before the first name. */
const BEFORE_NAMES = 3;

/**
 * The part of the layout that is about distinct members, and the texts that it names: the members, then the names of
 * sets in their rooms. `before` is the number of arguments before them.
 */
function layOut({ sets, texts: members }: Collected, before: number) {
  const rooms = new Map<string, { keys: RoomKeys; at: number }>();
  const texts = [...members];
  const layout: number[] = [];
  for (const { bounded, keptUntil, members: own } of sets) {
    const room = bounded && entry(rooms, bounded.room.taken, () => ({ keys: bounded.room, at: rooms.size + 1 }));
    layout.push(keptUntil, room?.at ?? 0, bounded === undefined ? 0 : before + texts.push(bounded.name), own.size);
    for (const place of own) layout.push(before + 1 + place);
  }
  return { rooms: [...rooms.values()].map(({ keys }) => keys), layout, texts };
}

/** An array of whole numbers in msgpack: array 32, with uint 32 for what fits it and float 64 for the rest. */
function packNumbers(numbers: readonly number[]): Buffer {
  const packed = Buffer.allocUnsafe(5 + 9 * numbers.length);
  packed[0] = 0xdd;
  let at = packed.writeUInt32BE(numbers.length, 1);
  for (const number of numbers) {
    const small = number >= 0 && number <= 0xffff_ffff;
    packed[at] = small ? 0xce : 0xcb;
    at = small ? packed.writeUInt32BE(number, at + 1) : packed.writeDoubleBE(number, at + 1);
  }
  return packed.subarray(0, at);
}
