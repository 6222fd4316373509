import type { Redis } from 'ioredis';

const PAGE = 2000;

/**
 * All keys that begin with these characters, in pages. A key may come twice, and one that is made or removed meanwhile
 * may come or not (Redis, SCAN).
 */
export async function* keysBeginning(redis: Redis, prefix: string): AsyncGenerator<string[]> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE);
    cursor = next;
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}
