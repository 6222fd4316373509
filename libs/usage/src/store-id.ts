import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { dataLost } from './counter';
import { runScript } from './script';
import { liveKey, storeKey } from './store';

/** Ids that a rebuild gives to a Redis that had none begin so: whoever counted into it before may go on. */
const REBUILT = 'rebuilt-';

const begin = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX') then redis.call('SET', KEYS[2], ARGV[2]) end
return redis.call('GET', KEYS[1])
`;

export const newRebuiltId = (): string => `${REBUILT}${randomUUID()}`;

/** Tells the Redis with the counters from one that came back empty (reference reliability F37). */
export interface StoreId {
  /**
   * Learns the id at the first call, giving one to a Redis that has none; does nothing later.
   *
   * @param live the list of cubes that are counted (fill/live.ts) for a Redis that has none: nothing was counted there
   * yet, so there is nothing to fill them with
   */
  learn(live?: string): Promise<void>;
  /** The id that was learned. */
  value(): string;
  /**
   * Asks Redis whether it is still the same one. Another one that has been rebuilt from the history since is as good,
   * and from then on it is the one.
   *
   * @throws DataLostError when it is not
   */
  check(): Promise<void>;
}

export function createStoreId({ redis, prefix }: { redis: Redis; prefix: string }): StoreId {
  const key = storeKey(prefix);
  let id: string | undefined;
  return {
    async learn(live = '') {
      id ??= String(await runScript(redis, begin, [key, liveKey(prefix)], [randomUUID(), live]));
    },
    value() {
      if (id === undefined) throw new Error('the id of the store is not known yet');
      return id;
    },
    async check() {
      const found = await redis.get(key);
      if (found?.startsWith(REBUILT)) id = found;
      if (found === null || found !== id) throw dataLost(key);
    },
  };
}
