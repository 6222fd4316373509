import { utcDay, type WeirEvent } from '@weir/events';
import { entry } from './entry';
import { formatCounter } from './keys';
import type { DistinctSet, Statistic } from './statistic';
import { distinctKey, keptUntil, roomKeys, type RoomKeys } from './store';

/** Remembered sets, each of half a kilobyte; when there are more, all are forgotten and made again. */
const REMEMBERED = 20_000;

/** How sets of distinct members are kept. */
export interface DistinctOptions {
  /** For how many days after its own a set is kept. */
  keepDays: number;
  /** For how many values of a dimension (repositories, organizations) there are sets of their own, each day. */
  namesADay: number;
}

/** A HyperLogLog in Redis, and what belongs into it. */
export interface MemberSet {
  key: string;
  /** Where the number of such sets is bounded: the room that it needs a place in, and its name there. */
  bounded?: { room: RoomKeys; name: string };
  /** Unix time, seconds. */
  keptUntil: number;
  members: Set<string>;
}

/** A member on its way into these sets. */
export interface Planned {
  member: string;
  sets: readonly MemberSet[];
}

/** Collects the distinct members of a batch by their sets. */
export interface MemberCollector {
  /**
   * What the event brings; nothing is collected yet.
   *
   * @throws Error what a statistic throws; RangeError for a name that no key can have
   */
  plan(event: WeirEvent): readonly Planned[];
  collect(planned: readonly Planned[]): void;
  /** The sets that anything was collected for. */
  sets(): readonly MemberSet[];
  /** Begins the next batch. */
  clear(): void;
}

const nothing: readonly Planned[] = [];

/** Names of keys are made once for all events that count alike on one day, and remembered from batch to batch. */
export function createMemberCollector(
  statistics: readonly Statistic[],
  prefix: string,
  { keepDays }: DistinctOptions,
): MemberCollector {
  const having = statistics.filter(({ members }) => members !== undefined);
  /** Day → what a statistic returned → the sets in Redis; two that name one set get one and the same. */
  const days = new Map<string, Map<readonly DistinctSet[], readonly MemberSet[]>>();
  const known = new Map<string, MemberSet>();
  let touched: MemberSet[] = [];

  const setOf = (statistic: string, set: DistinctSet, day: string): MemberSet => {
    const key = distinctKey(prefix, statistic, set, day);
    return entry(known, key, () => {
      const made = { key, keptUntil: keptUntil(day, keepDays), members: new Set<string>() };
      if (Object.keys(set.dimensions).length === 0) return made;
      const name = formatCounter(set.measure, set.dimensions, undefined);
      return { ...made, bounded: { room: roomKeys(prefix, statistic, set, day), name } };
    });
  };

  const planOf = (statistic: Statistic, event: WeirEvent): Planned[] => {
    const found = statistic.members?.(event) ?? [];
    if (found.length === 0) return [];
    const day = utcDay(event);
    const ofDay = entry(days, day, () => new Map());
    return found.map(({ member, sets }) => ({
      member,
      sets: entry(ofDay, sets, () => sets.map((set) => setOf(statistic.name, set, day))),
    }));
  };

  return {
    plan: (event) => (having.length === 0 ? nothing : having.flatMap((statistic) => planOf(statistic, event))),
    collect(planned) {
      for (const { member, sets } of planned) {
        for (const set of sets) {
          if (set.members.size === 0) touched.push(set);
          set.members.add(member);
        }
      }
    },
    sets: () => touched,
    clear() {
      for (const set of touched) set.members.clear();
      touched = [];
      if (known.size < REMEMBERED) return;
      days.clear();
      known.clear();
    },
  };
}
