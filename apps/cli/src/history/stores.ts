import { keysMatching, storeKey } from '@weir/usage';
import type { Redis } from 'ioredis';
import { endpoint } from '../endpoints';
import { CliError, clean, exitCodes, type Io } from '../io';

/** What the redis-worker was told, from the same variables: where its keys are and how long it remembers. */
export interface UsageStore {
  redis: Redis;
  prefix: string;
  dedupeSeconds: number;
}

/** A swap may take seconds where millions of keys differ. */
const COMMAND_TIMEOUT_MS = 120_000;
const DEDUPE_DAYS = 32;

export function dedupeDays(io: Io): number {
  const text = io.env['DEDUPE_DAYS'] || String(DEDUPE_DAYS);
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new CliError('DEDUPE_DAYS must be a whole number of days, 1 to 3650', exitCodes.configuration);
}

/** Runs `use` with a connection to the Redis of the redis-worker. @throws CliError (69) when there is no answer. */
export async function withUsageStore<T>(
  io: Io,
  option: string | undefined,
  use: (store: UsageStore) => Promise<T>,
): Promise<T> {
  const url = endpoint(io, { option, variable: 'REDIS_URL', endpoint: 'redis', what: 'Redis' });
  if (!/^(rediss?|unix):\/\//.test(url) || !URL.canParse(url)) {
    throw new CliError(
      'the address of Redis must be a URL such as redis://:password@host:6379',
      exitCodes.configuration,
    );
  }
  const dedupeSeconds = dedupeDays(io) * 24 * 3600;
  // Loaded when it is needed: every other command starts sooner without it.
  const { Redis, ReplyError } = await import('ioredis');
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 5000,
    commandTimeout: COMMAND_TIMEOUT_MS,
  });
  let reason: string | undefined;
  redis.on('error', (error: Error) => (reason ??= error.message));
  const where = `Redis at ${new URL(url).host}`;
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    redis.disconnect();
    const said = clean(reason ?? (error as Error).message);
    throw new CliError(`${where} does not answer (${said}): is it running, is REDIS_URL right?`, exitCodes.unavailable);
  }
  const prefix = io.env['REDIS_PREFIX'] ?? '';
  try {
    await checkPrefix(redis, prefix);
    return await use({ redis, prefix, dedupeSeconds });
  } catch (error) {
    if (error instanceof ReplyError)
      throw new CliError(`${where} says: ${(error as Error).message}`, exitCodes.unavailable);
    if (redis.status !== 'ready') {
      throw new CliError(`${where} was lost: ${clean(reason ?? (error as Error).message)}`, exitCodes.unavailable);
    }
    throw error;
  } finally {
    redis.disconnect();
  }
}

/** With the wrong prefix everything would seem to be missing, and a rebuild would write it where nobody looks. */
async function checkPrefix(redis: Redis, prefix: string): Promise<void> {
  if (await redis.exists(storeKey(prefix))) return;
  for await (const keys of keysMatching(redis, `*${storeKey('')}`)) {
    const other = keys[0]?.slice(0, -storeKey('').length) ?? '';
    const [here, there] = [prefix, other].map((text) => (text === '' ? 'without a prefix' : `under '${text}'`));
    throw new CliError(
      `nothing was ever counted ${here} in this Redis, but ${there}: set REDIS_PREFIX as it is set for the redis-worker`,
      exitCodes.configuration,
    );
  }
}
