import { setTimeout as pause } from 'node:timers/promises';
import { keepConnected, openHistory, queueOf } from '@weir/bus';
import { backoff } from '@weir/service';
import { fillingKey, readLive, storeKey, takeLock, versionOf, type Cube } from '@weir/usage';
import type { ChannelModel } from 'amqplib';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Connection } from './connection';
import { fillFromHistory, type FromHistory } from './fill-from-history';
import type { StatisticMetrics } from './metrics';

export interface FillingOptions extends Pick<
  FromHistory,
  'prefix' | 'names' | 'dedupeSeconds' | 'failed' | 'signal' | 'log'
> {
  amqpUrl: string;
  /** A connection of its own: a full batch of the history must not stand before one of the live counting. */
  connection: Connection;
  /** All cubes that this worker knows. */
  all: readonly Cube[];
  storeId(): string;
  told: StatisticMetrics;
}

const LOCK_TTL_MS = 30_000;
/** How often is looked whether there is something to fill. */
const LOOK_MS = 2000;
const LOG_MS = 10_000;
const RETRY = { initialMs: 1000, maxMs: 60_000 };
/** A cube that was filled and is off the list again: workers that know different ones take turns. It is not to be hot. */
const AGAIN = { initialMs: 60_000, maxMs: 3_600_000 };

/** Fills what is not on the list of cubes that are counted, for as long as the worker runs; one worker at a time. */
export async function keepFilled(options: FillingOptions): Promise<void> {
  const { connection, prefix, all, signal, log, told } = options;
  const retry = backoff(RETRY);
  const again = backoff(AGAIN);
  const filled = new Set<string>();
  let why: string | undefined;
  const rest = (ms: number) => pause(ms, undefined, { signal }).catch(() => {});

  /** @returns how long to wait before the next look, milliseconds */
  const look = async (redis: Redis): Promise<number> => {
    if ((await redis.get(storeKey(prefix))) !== options.storeId()) return LOOK_MS; // it has lost its data
    const { missing } = await readLive(redis, prefix, all);
    told.filling(missing);
    if (missing.length === 0) return LOOK_MS;
    if (missing.some((cube) => filled.has(versionOf(cube)))) await rest(again.next());
    const lock = await takeLock({ redis, key: fillingKey(prefix), ttlMs: LOCK_TTL_MS, waitMs: 0 });
    if (!lock) return LOOK_MS;
    try {
      const { missing: wanted } = await readLive(redis, prefix, all); // another worker may have been quicker
      if (wanted.length > 0) await fillNow(options, redis, wanted);
      for (const cube of wanted) filled.add(versionOf(cube));
    } finally {
      await lock.release().catch(() => {}); // it expires
    }
    return 0;
  };

  while (!signal.aborted) {
    try {
      // One use for all of it: when the connection is lost, what Redis has forgotten with it is not known.
      const done = await connection.use(() => look(connection.redis).catch((error: Error) => error));
      if (typeof done !== 'number') throw done;
      retry.reset();
      why = undefined;
      await rest(done);
    } catch (error) {
      if (signal.aborted) return;
      const reason = (error as Error).message;
      if (reason !== why) log.warn({ reason }, 'no statistic can be filled from the history now: trying again');
      why = reason;
      await connection.close();
      await rest(retry.next());
    }
  }
}

async function fillNow(options: FillingOptions, redis: Redis, cubes: readonly Cube[]): Promise<void> {
  const { amqpUrl, log, signal, told } = options;
  const statistics = cubes.map(({ name }) => name);
  log.info({ statistics }, 'filling new statistics from the history');
  const begun = performance.now();
  let [events, said] = [0, begun];
  const { connected, close } = connect(amqpUrl, log, signal);
  try {
    const broker = await connected;
    await fillFromHistory({
      ...options,
      redis,
      cubes,
      storeId: options.storeId(),
      history: openHistory(broker),
      queued: () => messagesIn(broker, queueOf('redis')),
      progress(read, left) {
        events += read;
        told.read(cubes, read, left);
        if (performance.now() - said < LOG_MS) return;
        said = performance.now();
        log.info({ statistics, events, left, perSecond: Math.round((1000 * events) / (said - begun)) }, 'filling');
      },
    });
  } finally {
    await close();
  }
  told.filling([]);
  log.info({ statistics, events, seconds: Math.round((performance.now() - begun) / 1000) }, 'filled');
}

/** The broker, for as long as a filling takes. Where the connection is lost all that uses it fails, and is begun anew. */
function connect(url: string, log: Logger, signal: AbortSignal) {
  let given: (connection: ChannelModel) => void;
  const closed = new AbortController();
  const connected = new Promise<ChannelModel>((resolve, reject) => {
    given = resolve;
    signal.addEventListener('abort', () => reject(new Error('stopped')), { signal: closed.signal });
  });
  connected.catch(() => {}); // whoever waits hears of it
  const link = keepConnected({ url, name: 'redis history', log, setup: async (connection) => given(connection) });
  const close = async () => {
    closed.abort();
    await link.close();
  };
  return { connected, close };
}

async function messagesIn(connection: ChannelModel, queue: string): Promise<number> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  const { messageCount } = await channel.checkQueue(queue);
  await channel.close();
  return messageCount;
}
