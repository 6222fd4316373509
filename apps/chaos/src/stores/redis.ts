import { Redis } from 'ioredis';

/** What the oracle reads of Redis, past every proxy. */
export interface UsageKeys {
  /** Every key outside `weir:` with its value; null for one that is no plain value. */
  all(): Promise<Map<string, string | null>>;
  get(key: string): Promise<string | null>;
  close(): void;
}

export function readUsage(url: string): UsageKeys {
  const redis = new Redis(url, { retryStrategy: (tries) => Math.min(500, 50 * tries), commandTimeout: 10_000 });
  redis.on('error', () => {}); // it is away again and again here; the command that meets it says so
  return {
    async all() {
      const names = new Set<string>();
      let cursor = '0';
      do {
        const [next, found] = await redis.scan(cursor, 'COUNT', 1000);
        for (const name of found) if (!name.startsWith('weir:')) names.add(name);
        cursor = next;
      } while (cursor !== '0');
      const list = [...names];
      const values = list.length === 0 ? [] : await redis.mget(list);
      return new Map(list.map((name, at) => [name, values[at] ?? null]));
    },
    get: (key) => redis.get(key),
    close: () => redis.disconnect(),
  };
}
