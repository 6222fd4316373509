import { createHash } from 'node:crypto';
import type { WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createPreparer, type ScriptCall, type Uncountable } from './batch';
import { counterScript, WRONG_KEY } from './counter.lua';
import type { Statistic } from './statistic';

export interface CounterOptions {
  redis: Redis;
  statistics: readonly Statistic[];
  /** In front of every key. */
  prefix: string;
  /**
   * How long a counted event is remembered after the last new event of its day, in seconds. The same event delivered
   * again within that time is not counted again.
   */
  dedupeSeconds: number;
}

/** What became of a batch. */
export interface Counted {
  /** Events that were counted now. */
  counted: number;
  /** Events that had been counted before, in this batch or in an earlier one. */
  duplicates: number;
  /** Events that a statistic threw on: nothing of them was counted. */
  refused: Uncountable[];
}

export interface Counter {
  /**
   * Counts a batch, whole or not at all, each identity once; the same batch again, after any failure and as often as
   * one likes, changes nothing more.
   *
   * @throws Error when Redis did not answer, or a key is not of the type it must be (then nothing was written, and the
   * message names the key).
   */
  count(batch: readonly WeirEvent[]): Promise<Counted>;
}

/**
 * Counters in Redis with exactly-once effect: the event's identity and all its increments are written by one script,
 * so that a crash leaves both or neither (reference reliability A.5). Works on one primary with any replicas; on a
 * Cluster with a prefix such as `{weir}:`, because the keys of seed 000 lie in different slots.
 */
export function createCounter({ redis, statistics, prefix, dedupeSeconds }: CounterOptions): Counter {
  const prepare = createPreparer({ statistics, prefix, dedupeSeconds });
  return {
    async count(batch) {
      const { call, refused } = prepare(batch);
      if (!call) return { counted: 0, duplicates: 0, refused };
      const counted = await run(redis, call);
      return { counted, duplicates: call.events - counted, refused };
    },
  };
}

const sha = createHash('sha1').update(counterScript).digest('hex');

async function run(redis: Redis, { keys, args }: ScriptCall): Promise<number> {
  try {
    return Number(await redis.evalsha(sha, keys.length, ...keys, ...args));
  } catch (error) {
    const { message } = error as Error;
    if (message.startsWith('NOSCRIPT')) {
      // A server that was started, or told to forget its scripts, since we last asked.
      return Number(await redis.eval(counterScript, keys.length, ...keys, ...args).catch(explain));
    }
    return explain(error);
  }
}

function explain(error: unknown): never {
  const { message } = error as Error;
  if (!message.startsWith(WRONG_KEY)) throw error;
  throw new Error(
    `Redis key ${message.slice(WRONG_KEY.length + 1)}. Nothing of this batch was counted. ` +
      'Rename or delete that key; the batch is tried again.',
    { cause: error },
  );
}
