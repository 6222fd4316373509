import { entry } from '../entry';
import { isCalendarDay } from '../keys';
import { keptUntil } from '../store';
import type { CubeSeries, LatestPlace, Place } from './effect';
import { BLOCK_DAYS, blockKey, blockOf, bucketKey, latestKey, type Resolution } from './keys';

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
  cells: Map<string, Cell>;
  touched: Cell[];
}

/** One number: a member of a bucket. What an hour's grows by its day's grows by as well. */
export interface Cell {
  bucket: Bucket;
  member: string;
  day: Cell | undefined;
  /** Its place in the batch in hand, from 1; 0 when it is not in it. */
  at: number;
}

/** The times of the latest events of a group. */
export interface LatestSet {
  key: string;
  names: number;
  cells: Map<string, LatestCell>;
  touched: LatestCell[];
}

export interface LatestCell {
  set: LatestSet;
  member: string;
  /** The latest of the batch in hand; empty when it is not in it. */
  time: string;
}

export interface Buckets {
  /** The cells of these places in a UTC hour, `YYYY-MM-DDTHH`; none where neither the hour nor its day is kept any more. */
  cellsOf(places: readonly Place[], hour: string): Cell[];
  latestOf(places: readonly LatestPlace[]): LatestCell[];
  touch(cell: Cell): void;
  touchLatest(cell: LatestCell, time: string): void;
  /** What the batch in hand changes; hours before days. */
  touched(): { buckets: readonly Bucket[]; latest: readonly LatestSet[] };
  /** Begins the next batch. */
  clear(): void;
  /** How many cells are remembered. */
  size(): number;
  forget(): void;
}

/** Names of keys are made once, and remembered from batch to batch. */
export function createBuckets({ prefix, names, now }: { prefix: string; names: number; now: () => number }): Buckets {
  const hours = new Map<string, Map<CubeSeries, Bucket | undefined>>();
  const days = new Map<string, Map<CubeSeries, Bucket | undefined>>();
  const latest = new Map<string, LatestSet>();
  const touched = { hour: [] as Bucket[], day: [] as Bucket[], latest: [] as LatestSet[] };
  let size = 0;

  const bucketOf = (series: CubeSeries, resolution: Resolution, hour: string): Bucket | undefined => {
    const day = dayOf(hour);
    const until = keptUntil(day, series.keepDays[resolution]);
    if (until * 1000 <= now()) return undefined;
    const blocks = BLOCK_DAYS.map((length) => blockKey(prefix, series, length, blockOf(day, length)));
    return {
      key: bucketKey(prefix, series, resolution === 'day' ? day : hour),
      resolution,
      keptUntil: until,
      names: series.names ?? names,
      blocks: resolution === 'day' ? blocks : [],
      cells: new Map(),
      touched: [],
    };
  };
  const cellOf = (bucket: Bucket, member: string, day: Cell | undefined): Cell =>
    entry(bucket.cells, member, () => {
      size++;
      return { bucket, member, day, at: 0 };
    });

  const touch = (cell: Cell): void => {
    if (cell.at !== 0) return;
    cell.at = -1; // its place is known when all are
    const { bucket, day } = cell;
    if (bucket.touched.length === 0) touched[bucket.resolution].push(bucket);
    bucket.touched.push(cell);
    if (day !== undefined) touch(day);
  };

  return {
    cellsOf(places, hour) {
      const day = dayOf(hour);
      if (!isHour(hour) || !isCalendarDay(day)) throw new RangeError(`'${hour}' is not an hour, YYYY-MM-DDTHH.`);
      const ofHour = entry(hours, hour, () => new Map());
      const ofDay = entry(days, day, () => new Map());
      return places.flatMap(({ series, member }) => {
        if (!ofHour.has(series)) ofHour.set(series, bucketOf(series, 'hour', hour));
        if (!ofDay.has(series)) ofDay.set(series, bucketOf(series, 'day', hour));
        const [hourly, daily] = [ofHour.get(series), ofDay.get(series)];
        const total = daily && cellOf(daily, member, undefined);
        return (hourly ? cellOf(hourly, member, total) : total) ?? [];
      });
    },
    latestOf: (places) =>
      places.map(({ statistic, group, names: own = names, member }) => {
        const key = latestKey(prefix, statistic, group);
        const set = entry(latest, key, () => ({ key, names: own, cells: new Map<string, LatestCell>(), touched: [] }));
        return entry(set.cells, member, () => {
          size++;
          return { set, member, time: '' };
        });
      }),
    touch,
    touchLatest(cell, time) {
      if (time <= cell.time) return;
      const { set } = cell;
      if (cell.time === '') {
        if (set.touched.length === 0) touched.latest.push(set);
        set.touched.push(cell);
      }
      cell.time = time;
    },
    touched: () => ({ buckets: [...touched.hour, ...touched.day], latest: touched.latest }),
    clear() {
      for (const bucket of [...touched.hour, ...touched.day]) {
        for (const cell of bucket.touched) cell.at = 0;
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
      hours.clear();
      days.clear();
      latest.clear();
      size = 0;
    },
  };
}

const dayOf = (hour: string): string => hour.slice(0, 'YYYY-MM-DD'.length);
const isHour = (text: string): boolean => /^\d{4}-\d\d-\d\dT([01]\d|2[0-3])$/.test(text);
