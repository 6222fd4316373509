import { utcDay, type WeirEvent } from '@weir/events';
import { entry } from './entry';
import { formatCounter } from './keys';
import { isDistinct, type DistinctSet, type Members, type Statistic } from './statistic';
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
  /** Positions in the texts of the batch, from 0. */
  members: Set<number>;
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
  /** The sets that anything was collected for, and the members that are in any of them, each once. */
  collected(): { sets: readonly MemberSet[]; texts: readonly string[] };
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
  const having = statistics.filter(isDistinct);
  /** Day → what a statistic returned → the sets in Redis; two that name one set get one and the same. */
  const days = new Map<string, Map<readonly DistinctSet[], readonly MemberSet[]>>();
  const known = new Map<string, MemberSet>();
  let touched: MemberSet[] = [];
  const places = new Map<string, number>();

  const setOf = (statistic: string, set: DistinctSet, day: string): MemberSet => {
    const key = distinctKey(prefix, statistic, set, day);
    return entry(known, key, () => {
      const made = { key, keptUntil: keptUntil(day, keepDays), members: new Set<number>() };
      if (Object.keys(set.dimensions).length === 0) return made;
      const name = formatCounter(set.measure, set.dimensions, undefined);
      return { ...made, bounded: { room: roomKeys(prefix, statistic, set, day), name } };
    });
  };

  const planOf = (statistic: string, found: readonly Members[], event: WeirEvent): Planned[] => {
    const day = utcDay(event);
    const ofDay = entry(days, day, () => new Map());
    return found.map(({ member, sets }) => ({
      member,
      sets: entry(ofDay, sets, () => sets.map((set) => setOf(statistic, set, day))),
    }));
  };

  return {
    plan(event) {
      let all = nothing;
      for (const statistic of having) {
        const found = statistic.members(event);
        if (found.length > 0) all = [...all, ...planOf(statistic.name, found, event)];
      }
      return all;
    },
    collect(planned) {
      for (const { member, sets } of planned) {
        const place = entry(places, member, () => places.size);
        for (const set of sets) {
          if (set.members.size === 0) touched.push(set);
          set.members.add(place);
        }
      }
    },
    collected: () => ({ sets: touched, texts: [...places.keys()] }),
    clear() {
      for (const set of touched) set.members.clear();
      touched = [];
      places.clear();
      if (known.size < REMEMBERED) return;
      days.clear();
      known.clear();
    },
  };
}
