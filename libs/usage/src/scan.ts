import type { Redis } from 'ioredis';

const PAGE = 2000;

/** All keys that begin with these characters: {@link keysMatching}. */
export function keysBeginning(redis: Redis, prefix: string): AsyncGenerator<string[]> {
  return keysMatching(redis, `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`);
}

/**
 * All keys that a pattern of Redis matches, in pages. A key may come twice, and one that is made or removed meanwhile
 * may come or not (Redis, SCAN).
 */
export async function* keysMatching(redis: Redis, pattern: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE);
    cursor = next;
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}
