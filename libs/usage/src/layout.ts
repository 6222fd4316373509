import type { Bucket, LatestSet } from './cube/cells';
import { entry } from './entry';
import type { MemberCollector } from './members';
import type { RoomKeys } from './store';
import type { Group } from './batch';

/** A batch as the counter script takes it: its KEYS and its ARGV. */
export interface ScriptCall {
  keys: string[];
  args: (Buffer | string)[];
  /** Events in it: those that any statistic counts. */
  events: number;
}

export interface Limits {
  dedupeSeconds: number;
  keepSeconds: number;
  namesADay: number;
}

/** What a batch brings, collected by where it goes. */
export interface Collected {
  groups: readonly Group[];
  distinct: ReturnType<MemberCollector['collected']>;
  buckets: readonly Bucket[];
  latest: readonly LatestSet[];
}

/** Arguments of the script before the first name. */
const BEFORE_NAMES = 5;

/** Lays a batch out as `counter.lua.ts` describes. */
export function layOut({ groups, distinct, buckets, latest }: Collected, limits: Limits): ScriptCall {
  const sets = new Map<string, Group[]>();
  const indexes = new Map<string, Set<string>>();
  const counters = new Map<string, number>();
  for (const group of groups) {
    const { seen, organizations } = group.plan;
    entry(sets, seen, () => []).push(group);
    for (const { index, name } of organizations) entry(indexes, index, () => new Set()).add(name);
    for (const key of group.plan.counters) entry(counters, key, () => counters.size + 1);
  }
  const names = [...indexes.values()].flatMap((own) => [...own]);
  const ofDistinct = layOutDistinct(distinct, BEFORE_NAMES + names.length);
  const ofCubes = layOutCubes(buckets, latest, counters.size);
  const { rooms } = ofDistinct;

  const layout = [limits.dedupeSeconds, limits.keepSeconds, sets.size, indexes.size, latest.length];
  layout.push(rooms.length, distinct.sets.length, limits.namesADay, counters.size, buckets.length);
  for (const own of indexes.values()) layout.push(own.size);
  const identities: Buffer[] = [];
  const ofGroups: number[] = [];
  for (const own of sets.values()) {
    ofGroups.push(own.length);
    for (const group of own) {
      layOutGroup(group, counters, ofGroups);
      for (const identity of group.identities) identities.push(identity);
    }
  }
  return {
    keys: [
      ...sets.keys(),
      ...indexes.keys(),
      ...latest.map(({ key }) => key),
      ...rooms.map(({ leftOut }) => leftOut),
      ...distinct.sets.map(({ key }) => key),
      ...rooms.map(({ taken }) => taken),
      ...counters.keys(),
      ...buckets.map(({ key }) => key),
      ...buckets.flatMap(({ blocks }) => blocks),
    ],
    args: [
      packNumbers([layout, ofCubes.latest, ofDistinct.layout, ofGroups, ofCubes.buckets]),
      Buffer.concat(identities),
      '',
      '',
      packTexts(ofCubes.members),
      ...names,
      ...ofDistinct.texts,
    ],
    events: identities.length,
  };
}

function layOutGroup(group: Group, counters: Map<string, number>, layout: number[]): void {
  const { plan, reads, identities, amounts } = group;
  layout.push(identities.length, amounts.length / identities.length);
  for (const amount of amounts) layout.push(amount);
  layout.push(reads.reduce((sum, { ones }) => sum + ones.length, plan.counters.length));
  for (const key of plan.counters) layout.push(counters.get(key) ?? 0);
  for (const { ones } of reads) for (const { at } of ones) layout.push(at);
  for (const { others } of reads) {
    for (const cells of others) {
      layout.push(cells.length);
      for (const { at } of cells) layout.push(at);
    }
  }
}

/**
 * The parts of the layout that are about cubes, and the members that they name. `before` is the number of counters, whose
 * sums come before those of the cells. An hour and its day share the text of a member.
 */
function layOutCubes(buckets: readonly Bucket[], latest: readonly LatestSet[], before: number) {
  const members: string[] = [];
  const ofLatest: number[] = [];
  for (const { names, touched } of latest) {
    ofLatest.push(names, touched.length);
    for (const { member, time } of touched) ofLatest.push(members.push(member), Date.parse(time));
  }
  const ofBuckets: number[] = [];
  let at = before;
  for (const { touched } of buckets) for (const cell of touched) cell.at = ++at;
  const texts: number[] = [];
  for (const { keptUntil, names, blocks, touched } of buckets) {
    ofBuckets.push(keptUntil, names, blocks.length, touched.length);
    for (const { member, day, at: own } of touched) {
      const text = texts[own] ?? members.push(member);
      if (day !== undefined) texts[day.at] = text;
      ofBuckets.push(text, day?.at ?? 0);
    }
  }
  return { members, latest: ofLatest, buckets: ofBuckets };
}

/**
 * The part of the layout that is about distinct members, and the texts that it names: the members, then the names of
 * sets in their rooms. `before` is the number of arguments before them.
 */
function layOutDistinct({ sets, texts: members }: Collected['distinct'], before: number) {
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

/** Arrays of whole numbers as one in msgpack: array 32, with uint 32 for what fits it and float 64 for the rest. */
function packNumbers(arrays: readonly (readonly number[])[]): Buffer {
  const length = arrays.reduce((sum, numbers) => sum + numbers.length, 0);
  const packed = Buffer.allocUnsafe(5 + 9 * length);
  packed[0] = 0xdd;
  let at = packed.writeUInt32BE(length, 1);
  for (const numbers of arrays) {
    for (const number of numbers) {
      const small = number >= 0 && number <= 0xffff_ffff;
      packed[at] = small ? 0xce : 0xcb;
      at = small ? packed.writeUInt32BE(number, at + 1) : packed.writeDoubleBE(number, at + 1);
    }
  }
  return packed.subarray(0, at);
}

/** Texts of ASCII in msgpack: an array 32 of str 32. As arguments of their own they would cost ten times as much. */
function packTexts(texts: readonly string[]): Buffer {
  const packed = Buffer.allocUnsafe(5 + texts.reduce((sum, { length }) => sum + 5 + length, 0));
  packed[0] = 0xdd;
  let at = packed.writeUInt32BE(texts.length, 1);
  for (const text of texts) {
    packed[at] = 0xdb;
    at = packed.writeUInt32BE(text.length, at + 1);
    at += packed.write(text, at, 'latin1');
  }
  return packed;
}
