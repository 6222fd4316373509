import type { Redis } from 'ioredis';
import { ask } from './ask';
import { parseDescription } from './description';
import { latest } from './latest';
import { descriptionsKey, type Cubes, type Description } from './question';
import { QuestionError } from './question-error';
import { sizes } from './sizes';

export interface CubesOptions {
  redis: Redis;
  prefix: string;
  now?: () => Date;
}

/**
 * Reads what the redis-worker has counted. Its user in Redis needs, on the keys of the prefix:
 *
 * - to read `weir:statistics`, `weir:cube:*`, `weir:cube-latest:*`: HGET HGETALL ZCARD ZMSCORE ZUNION;
 * - to read and write `weir:cube-block:*` (unions of days that are over, which are made when they are wanted) and
 *   `weir:cube-answer:*` (answers while they are read, each for a minute): ZUNIONSTORE ZINCRBY EXPIRE EXISTS ZCARD
 *   ZSCORE ZREM ZRANGE UNLINK;
 * - MULTI EXEC.
 *
 * Redis must let it write: a read-only replica cannot be asked.
 */
export function createCubes({ redis, prefix, now = () => new Date() }: CubesOptions): Cubes {
  const describe = async (name: string): Promise<Description> => {
    const text = await redis.hget(descriptionsKey(prefix), name);
    const description = text === null ? undefined : parseDescription(text);
    if (description === undefined) throw new QuestionError('statistic', 'there is none of this name', 'one of those in the list of statistics'); // prettier-ignore
    return description;
  };

  return {
    async ask(question) {
      const description = await describe(question.statistic);
      return ask({ redis, prefix, question, description, now: now().getTime() });
    },
    async latest(question) {
      return latest({ redis, prefix }, question, await describe(question.statistic));
    },
    sizes: (series, buckets) => sizes({ redis, prefix }, series, buckets),
    async statistics() {
      const texts = Object.values(await redis.hgetall(descriptionsKey(prefix)));
      const found = texts.flatMap((text) => parseDescription(text) ?? []);
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}
