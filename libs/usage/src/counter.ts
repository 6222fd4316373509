import type { WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createPreparer, type CountingOptions, type Prepared, type Uncountable } from './batch';
import { ANY_LIST, counterScript, GONE, HELD, STALE, WRONG_KEY } from './counter.lua';
import type { ScriptCall } from './layout';
import { runScript } from './script';
import { holdKey, liveKey, storeKey } from './store';

export interface CounterOptions extends CountingOptions {
  redis: Redis;
  /**
   * The id that this Redis must have (`identifyStore`), asked for with every batch. With it nothing is counted while a
   * rebuild or a verification holds the counters, nor into a Redis that has come back without its data.
   */
  storeId?: () => string;
  /** The list of live cubes that the statistics were chosen by (fill/live.ts), compared with every batch, too. */
  live?: string;
}

/** What became of a batch. */
export interface Counted {
  /** Events that were counted now. */
  counted: number;
  /** Events that had been counted before, in this batch or in an earlier one. */
  duplicates: number;
  /** Events that a statistic (no plug-in) threw on: nothing of them was counted. */
  refused: Uncountable[];
}

export interface Counter {
  /** Prepares what {@link count} will be given next, the same array: Redis may still be busy with the batch before. */
  ahead(batch: readonly WeirEvent[]): void;
  /**
   * Counts a batch, whole or not at all, each identity once; the same batch again, after any failure and as often as
   * one likes, changes nothing more.
   *
   * @throws HeldError while the counters are held; the batch is to be tried again
   * @throws DataLostError when this is not the store that it was
   * @throws StaleError when other cubes are to be counted by now
   * @throws Error when Redis did not answer, or a key is not of the type it must be (then nothing was written, and the
   * message names the key).
   */
  count(batch: readonly WeirEvent[]): Promise<Counted>;
}

/** The counters stand still for some seconds: `weir rebuild` or `weir verify` is at work. */
export class HeldError extends Error {
  override name = 'HeldError';
}

/** Redis came back without its data, or is another one. */
export class DataLostError extends Error {
  override name = 'DataLostError';
}

/** A cube has joined those that are counted, or left them: the batch is to be counted by a counter for those. */
export class StaleError extends Error {
  override name = 'StaleError';
}

/**
 * Counters in Redis with exactly-once effect: the event's identity and all its increments are written by one script,
 * so that a crash leaves both or neither (reference reliability A.5). Works on one primary with any replicas; on a
 * Cluster with a prefix such as `{weir}:`, because the keys of seed 000 lie in different slots.
 */
export function createCounter({ redis, storeId, live = ANY_LIST, ...options }: CounterOptions): Counter {
  const prepare = createPreparer(options);
  const guards = [holdKey(options.prefix), storeKey(options.prefix), liveKey(options.prefix)];
  let next: { batch: readonly WeirEvent[]; prepared: Prepared } | undefined;
  const prepared = (batch: readonly WeirEvent[]): Prepared => {
    if (next?.batch !== batch) return prepare(batch);
    const found = next.prepared;
    next = undefined;
    return found;
  };
  return {
    ahead: (batch) => void (next = { batch, prepared: prepare(batch) }),
    async count(batch) {
      const { call, repeated, refused } = prepared(batch);
      let [left, duplicates] = [call, repeated];
      while (left) {
        const { events } = left;
        const known = await run(redis, storeId === undefined ? left : guarded(left, guards, [storeId(), live]));
        if (known.size === 0) return { counted: events.length, duplicates, refused };
        duplicates += known.size;
        left = prepare(events.filter((_, at) => !known.has(at + 1))).call;
      }
      return { counted: 0, duplicates, refused };
    },
  };
}

function guarded({ keys, args, events }: ScriptCall, guards: readonly string[], values: readonly string[]): ScriptCall {
  const [layout = '', identities = '', , , ...texts] = args;
  return { keys: [...guards, ...keys], args: [layout, identities, ...values, ...texts], events };
}

/** The positions, from 1, of events that are known: none when all have been counted. */
async function run(redis: Redis, { keys, args }: ScriptCall): Promise<ReadonlySet<number>> {
  return new Set((await runScript(redis, counterScript, keys, args).catch(explain)) as number[]);
}

function explain(error: unknown): never {
  const { message } = error as Error;
  const [word, key] = message.split(' ', 2);
  if (word === HELD) {
    throw new HeldError(
      `the counters are held for a moment by \`weir rebuild\`, \`weir verify\` or a filling (key ${key})`,
      {
        cause: error,
      },
    );
  }
  if (word === STALE) throw new StaleError(`other statistics are to be counted by now (key ${key})`, { cause: error });
  if (word === GONE) throw dataLost(key ?? '', error);
  if (word !== WRONG_KEY) throw error;
  throw new Error(
    `Redis key ${message.slice(WRONG_KEY.length + 1)}. Nothing of this batch was counted. ` +
      'Rename or delete that key; the batch is tried again.',
    { cause: error },
  );
}

/** The error, with what to do, for a store whose id is not (any more) what it was. */
export function dataLost(key: string, cause?: unknown): DataLostError {
  return new DataLostError(
    `this Redis does not hold the data that it had: key ${key} is gone, or another. Nothing is counted until you ` +
      'restore its data, or run `weir rebuild`, or restart the redis-worker to go on with what is there now.',
    { cause },
  );
}
