import { formatCounter } from './keys';
import type { DistinctSet } from './statistic';

/**
 * Names of what Weir keeps beside the counters, all of it under `weir:`. `prefix` goes in front of every key, counters
 * too; `{weir}` with braces in it puts everything into one slot of a Redis Cluster.
 */

/** The set of identities of the events of one UTC day that have been counted. */
export function seenKey(prefix: string, day: string): string {
  return `${prefix}weir:seen:${day}`;
}

/** The sorted set (all scores 0, so sorted by name) of the organizations that a metric has counters of. */
export function organizationsKey(prefix: string, metric: string): string {
  return `${prefix}weir:organizations:${metric}`;
}

/** While this key exists nothing is counted: a rebuild or a verification reads what stands still (docs/decisions/0007). */
export function holdKey(prefix: string): string {
  return `${prefix}weir:hold`;
}

/** The key that tells this Redis, with its counters, from one that came back empty: a random id, never changed. */
export function storeKey(prefix: string): string {
  return `${prefix}weir:store`;
}

/** Which cubes are counted, in which versions (fill/live.ts): every batch is counted for these, or not at all. */
export function liveKey(prefix: string): string {
  return `${prefix}weir:live`;
}

/** While this key exists somebody fills new cubes from the history. */
export function fillingKey(prefix: string): string {
  return `${prefix}weir:filling`;
}

/** Which filling was begun last, so that it can be gone on with after a crash. */
export function fillKey(prefix: string): string {
  return `${prefix}weir:fill`;
}

/** What the names of what a filling has counted begin with; behind it they are called as the live ones. */
export function fillPrefix(prefix: string, id: string): string {
  return `${prefix}weir:fill:${id}:`;
}

/** How often each cube has thrown: a hash, name → number. */
export function failuresKey(prefix: string): string {
  return `${prefix}weir:statistic-failures`;
}

/** What the names of all recounts begin with; the id of one and `:` follow, and then its keys as they are live. */
export function recountsPrefix(prefix: string): string {
  return `${prefix}weir:recount:`;
}

/** A set of distinct members, a HyperLogLog: `weir:distinct:<statistic>:<measure>[/<dimension>/<value>]…/d/<day>`. */
export function distinctKey(
  prefix: string,
  statistic: string,
  { measure, dimensions }: DistinctSet,
  day: string,
): string {
  return `${prefix}weir:distinct:${statistic}:${formatCounter(measure, dimensions, day)}`;
}

/** Sets that differ in the values of their dimensions only share one room a day; these are the names of its two keys. */
export interface RoomKeys {
  /** How many sets there are. */
  taken: string;
  /** A HyperLogLog of those for which there was no room. */
  leftOut: string;
}

export function roomKeys(
  prefix: string,
  statistic: string,
  { measure, dimensions }: DistinctSet,
  day: string,
): RoomKeys {
  const room = `${statistic}:${formatCounter(measure, { of: Object.keys(dimensions).join(' ') }, day)}`;
  return { taken: `${prefix}weir:distinct-taken:${room}`, leftOut: `${prefix}weir:distinct-left-out:${room}` };
}

/** When what is kept for this many days after a UTC day goes: Unix time, seconds. */
export function keptUntil(day: string, days: number): number {
  return Date.parse(`${day}T00:00:00Z`) / 1000 + (1 + days) * SECONDS_A_DAY;
}

const SECONDS_A_DAY = 86_400;
