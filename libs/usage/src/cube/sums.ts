import type { Redis } from 'ioredis';
import { bucketKey, type Series } from './keys';
import { sendAll } from './replies';

/** Scores in one pipeline. */
const BATCH = 5000;

/**
 * What members that are known by name have in each of these lists of buckets, one list after the other. Nothing else in
 * the buckets is looked at.
 */
export async function* sumsOf(
  { redis, prefix }: { redis: Redis; prefix: string },
  series: Series,
  members: readonly string[],
  lists: readonly (readonly string[])[],
): AsyncGenerator<readonly number[]> {
  for (let at = 0; at < lists.length;) {
    const batch = [lists[at] ?? []];
    let cells = members.length * (batch[0]?.length ?? 0);
    while (at + batch.length < lists.length) {
      const next = lists[at + batch.length] ?? [];
      cells += members.length * next.length;
      if (cells > BATCH) break;
      batch.push(next);
    }
    at += batch.length;
    const commands = batch.flat().map((bucket) => ['zmscore', bucketKey(prefix, series, bucket), ...members]);
    const replies = (await sendAll(redis, commands)) as (string | null)[][];
    for (const list of batch) yield added(replies.splice(0, list.length), members.length);
  }
}

/** … in all of these buckets together. */
export async function sumOf(
  where: { redis: Redis; prefix: string },
  series: Series,
  members: readonly string[],
  buckets: readonly string[],
): Promise<readonly number[]> {
  const sums = new Array<number>(members.length).fill(0);
  for await (const part of sumsOf(
    where,
    series,
    members,
    buckets.map((bucket) => [bucket]),
  ))
    // prettier-ignore
    part.forEach((value, at) => (sums[at] = (sums[at] ?? 0) + value));
  return sums;
}

/** The total of a series without dimensions: a bucket has one member, so that a union of very many costs little. */
export async function totalOf(
  { redis, prefix }: { redis: Redis; prefix: string },
  { statistic, measure }: Pick<Series, 'statistic' | 'measure'>,
  buckets: readonly string[],
): Promise<number> {
  if (buckets.length === 0) return 0;
  const keys = buckets.map((bucket) => bucketKey(prefix, { statistic, measure, group: [] }, bucket));
  const [, total = 0] = await redis.zunion(keys.length, ...keys, 'WITHSCORES');
  return Number(total);
}

function added(scores: readonly (readonly (string | null)[])[], width: number): number[] {
  const sums = new Array<number>(width).fill(0);
  for (const row of scores) row.forEach((score, at) => (sums[at] = (sums[at] ?? 0) + Number(score ?? 0)));
  return sums;
}
