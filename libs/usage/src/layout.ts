import type { WeirEvent } from '@weir/events';
import type { Bucket, LatestSet } from './cube/cells';
import { entry } from './entry';
import type { MemberCollector } from './members';
import type { RoomKeys } from './store';
import type { Counter, Day } from './batch';

/** A batch as the counter script takes it: its KEYS and its ARGV. */
export interface ScriptCall {
  keys: string[];
  args: (Buffer | string)[];
  /** The events in it, in the order of their identities. */
  events: WeirEvent[];
}

export interface Limits {
  dedupeSeconds: number;
  keepSeconds: number;
  namesADay: number;
}

/** What a batch brings, collected by where it goes. */
export interface Collected {
  days: readonly Day[];
  counters: readonly Counter[];
  distinct: ReturnType<MemberCollector['collected']>;
  buckets: readonly Bucket[];
  latest: readonly LatestSet[];
}

/** Arguments of the script before the first name. */
const BEFORE_NAMES = 5;

/** Lays a batch out as `counter.lua.ts` describes. */
export function layOut({ days, counters, distinct, buckets, latest }: Collected, limits: Limits): ScriptCall {
  const indexes = new Map<string, Set<string>>();
  for (const { organization } of counters) {
    if (organization) entry(indexes, organization.index, () => new Set()).add(organization.name);
  }
  const names = [...indexes.values()].flatMap((own) => [...own]);
  const ofDistinct = layOutDistinct(distinct, BEFORE_NAMES + names.length);
  const ofCubes = layOutCubes(buckets, latest);
  const { rooms } = ofDistinct;

  const layout = [limits.dedupeSeconds, limits.keepSeconds, days.length, indexes.size, latest.length];
  layout.push(rooms.length, distinct.sets.length, limits.namesADay, counters.length, buckets.length);
  for (const { events } of days) layout.push(events.length);
  for (const own of indexes.values()) layout.push(own.size);
  return {
    keys: [
      ...days.map(({ seen }) => seen),
      ...indexes.keys(),
      ...latest.map(({ key }) => key),
      ...rooms.map(({ leftOut }) => leftOut),
      ...distinct.sets.map(({ key }) => key),
      ...rooms.map(({ taken }) => taken),
      ...counters.map(({ key }) => key),
      ...buckets.map(({ key }) => key),
      ...new Set(buckets.flatMap(({ blocks }) => blocks)), // days that follow each other are in the same ones
    ],
    args: [
      packNumbers([layout, ofCubes.latest, ofDistinct.layout, counters.map(({ by }) => by), ofCubes.buckets]),
      Buffer.from(days.map(({ identities }) => identities.join('')).join(''), 'hex'),
      '',
      '',
      packTexts(ofCubes.members),
      ...names,
      ...ofDistinct.texts,
    ],
    events: days.flatMap(({ events }) => events),
  };
}

/** The parts of the layout that are about cubes, and the members that they name: an hour and its day share the text of one. */
function layOutCubes(buckets: readonly Bucket[], latest: readonly LatestSet[]) {
  const members: string[] = [];
  const ofLatest: number[] = [];
  for (const { names, touched } of latest) {
    ofLatest.push(names, touched.length);
    for (const { member, time } of touched) ofLatest.push(members.push(member), Date.parse(time));
  }
  const ofBuckets: number[] = [];
  const texts = new Map<string, number>();
  for (const { keptUntil, names, touched } of buckets) {
    ofBuckets.push(keptUntil, names, touched.length);
    for (const { member, by } of touched) {
      let text = texts.get(member);
      if (text === undefined) texts.set(member, (text = members.push(member)));
      ofBuckets.push(text, by);
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
