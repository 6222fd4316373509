import type { Redis } from 'ioredis';
import { bucketKey, OTHER, type Series } from './keys';
import { sendAll } from './replies';

/** Buckets in one pipeline. */
const BATCH = 1000;

/** How many combinations each of these buckets has; what had no room for a name is none. Reads no member of them. */
export async function sizes(
  { redis, prefix }: { redis: Redis; prefix: string },
  series: Series,
  buckets: readonly string[],
): Promise<readonly number[]> {
  const found: number[] = [];
  for (let at = 0; at < buckets.length; at += BATCH) {
    const keys = buckets.slice(at, at + BATCH).map((bucket) => bucketKey(prefix, series, bucket));
    const replies = await sendAll(redis, keys.flatMap((key) => [['zcard', key], ['zmscore', key, OTHER]])); // prettier-ignore
    for (let reply = 0; reply < replies.length; reply += 2) {
      const [other] = replies[reply + 1] as (string | null)[];
      found.push(Number(replies[reply]) - (other === null ? 0 : 1));
    }
  }
  return found;
}
