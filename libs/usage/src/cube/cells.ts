import { entry } from '../entry';
import { isCalendarDay } from '../keys';
import { keptUntil } from '../store';
import { BLOCK_DAYS, blockKey, blockOf, bucketKey, latestKey, type Resolution, type Series } from './keys';
import type { Name } from './names';

/** A series and how its buckets are kept. */
export interface CubeSeries extends Series {
  keepDays: { hour: number; day: number };
  /** How many members a bucket tells apart; undefined: as many as the counter is told. */
  names: number | undefined;
}

/** A sorted set in Redis, and what of it the batch in hand changes. */
export interface Bucket {
  key: string;
  resolution: Resolution;
  /** When it goes: Unix time, seconds. */
  keptUntil: number;
  /** How many members it tells apart. */
  names: number;
  /** Unions that its day is in: they are not right any more when it has changed. */
  blocks: readonly string[];
  cells: Map<Name, Cell>;
  touched: Cell[];
}

/** The buckets of an hour and of its day; undefined what is not kept any more. */
export interface BucketPair {
  hour: Bucket | undefined;
  day: Bucket | undefined;
}

/** One number: a member of a bucket. What an hour's grows by its day's grows by as well. */
export interface Cell {
  bucket: Bucket;
  member: string;
  day: Cell | undefined;
  /** By how much it grows in the batch in hand, and whether it is in it. */
  by: number;
  touched: boolean;
}

/** The times of the latest events of a group. */
export interface LatestSet {
  key: string;
  names: number;
  cells: Map<Name, LatestCell>;
  touched: LatestCell[];
}

export interface LatestCell {
  set: LatestSet;
  member: string;
  /** The latest of the batch in hand; empty when it is not in it. */
  time: string;
}

export interface Buckets {
  /**
   * The buckets of a series for a UTC hour, `YYYY-MM-DDTHH`; one and the same for a day, when the series is.
   *
   * @throws RangeError for what is no hour
   */
  pairOf(series: CubeSeries, hour: string): BucketPair;
  /** Adds the cell of this name, that of the hour where it is kept, else that of its day, where that is. */
  addCell(pair: BucketPair, name: Name, to: Cell[]): void;
  latestSet(statistic: string, group: readonly string[], names: number | undefined): LatestSet;
  latestCell(set: LatestSet, name: Name): LatestCell;
  add(cell: Cell, by: number): void;
  touchLatest(cell: LatestCell, time: string): void;
  /** What the batch in hand changes. */
  touched(): { buckets: readonly Bucket[]; latest: readonly LatestSet[] };
  /** Begins the next batch. */
  clear(): void;
  /** How much is remembered, in cells. */
  size(): number;
  forget(): void;
}

/** What a pair of buckets costs beside its cells, as so many of these. */
const PAIR = 5;

/** Names of keys are made once, and remembered from batch to batch. */
export function createBuckets({ prefix, names, now }: { prefix: string; names: number; now: () => number }): Buckets {
  const days = new Map<string, Bucket | undefined>();
  const touched = { hour: [] as Bucket[], day: [] as Bucket[], latest: [] as LatestSet[] };
  let size = 0;

  const bucketOf = (series: CubeSeries, resolution: Resolution, bucket: string): Bucket | undefined => {
    const day = dayOf(bucket);
    const until = keptUntil(day, series.keepDays[resolution]);
    if (until * 1000 <= now()) return undefined;
    const blocks = BLOCK_DAYS.map((length) => blockKey(prefix, series, length, blockOf(day, length)));
    return {
      key: bucketKey(prefix, series, bucket),
      resolution,
      keptUntil: until,
      names: series.names ?? names,
      blocks: resolution === 'day' ? blocks : [],
      cells: new Map(),
      touched: [],
    };
  };

  const cellOf = (bucket: Bucket, name: Name, day: Cell | undefined): Cell => {
    let cell = bucket.cells.get(name);
    if (cell === undefined) {
      size++;
      bucket.cells.set(name, (cell = { bucket, member: name.member, day, by: 0, touched: false }));
    }
    return cell;
  };

  const add = (cell: Cell, by: number): void => {
    cell.by += by;
    if (cell.touched) return;
    cell.touched = true;
    const { bucket } = cell;
    if (bucket.touched.length === 0) touched[bucket.resolution].push(bucket);
    bucket.touched.push(cell);
  };

  /** A day grows by what its hours grow by. */
  const addDays = (): void => {
    for (const { touched: cells } of touched.hour) for (const { day, by } of cells) if (day !== undefined) add(day, by);
  };

  return {
    pairOf(series, hour) {
      const day = dayOf(hour);
      if (!isHour(hour) || !isCalendarDay(day)) throw new RangeError(`'${hour}' is not an hour, YYYY-MM-DDTHH.`);
      size += PAIR;
      const key = bucketKey('', series, day);
      return { hour: bucketOf(series, 'hour', hour), day: entry(days, key, () => bucketOf(series, 'day', day)) };
    },
    addCell({ hour, day }, name, to) {
      // The hour's first: it is looked up for every event, and knows its day's.
      const known = hour?.cells.get(name);
      if (known !== undefined) to.push(known);
      else {
        const daily = day && cellOf(day, name, undefined);
        const cell = hour ? cellOf(hour, name, daily) : daily;
        if (cell !== undefined) to.push(cell);
      }
    },
    latestSet: (statistic, group, own = names) => {
      return { key: latestKey(prefix, statistic, group), names: own, cells: new Map(), touched: [] };
    },
    latestCell: (set, name) =>
      entry(set.cells, name, () => {
        size++;
        return { set, member: name.member, time: '' };
      }),
    add,
    touchLatest(cell, time) {
      if (time <= cell.time) return;
      const { set } = cell;
      if (cell.time === '') {
        if (set.touched.length === 0) touched.latest.push(set);
        set.touched.push(cell);
      }
      cell.time = time;
    },
    touched() {
      addDays();
      return { buckets: [...touched.hour, ...touched.day], latest: touched.latest };
    },
    clear() {
      for (const bucket of [...touched.hour, ...touched.day]) {
        for (const cell of bucket.touched) {
          cell.by = 0;
          cell.touched = false;
        }
        bucket.touched = [];
      }
      for (const set of touched.latest) {
        for (const cell of set.touched) cell.time = '';
        set.touched = [];
      }
      touched.hour = [];
      touched.day = [];
      touched.latest = [];
    },
    size: () => size,
    forget() {
      days.clear();
      size = 0;
    },
  };
}

const dayOf = (bucket: string): string => bucket.slice(0, 'YYYY-MM-DD'.length);
const isHour = (text: string): boolean => /^\d{4}-\d\d-\d\dT([01]\d|2[0-3])$/.test(text);
