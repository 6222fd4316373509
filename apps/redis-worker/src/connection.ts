import { once } from 'node:events';
import { explainTls } from '@weir/service';
import { DataLostError } from '@weir/usage';
import { Redis, ReplyError } from 'ioredis';
import type { Logger } from 'pino';

/** A command that takes longer has been lost: the script of a full batch takes some milliseconds. */
const COMMAND_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 5000;
/** How long a dead server may take to say goodbye before its socket is thrown away. */
const DISCONNECT_TIMEOUT_MS = 500;

export interface Connection {
  redis: Redis;
  /** Does something with Redis, one after the other; when Redis does not answer, the next one gets a new connection. */
  use<T>(work: () => Promise<T>): Promise<T>;
  /** How many connections there have been: while it stays the same, what was answered came from one Redis. */
  made(): number;
  /** The error, with where and why as far as is known, but without the password. */
  explained(error: unknown): Error;
  close(): Promise<void>;
}

/**
 * One connection that is made anew when it is needed, by whoever needs it: nothing is queued while Redis is away, and
 * nothing is sent again behind the worker's back, because the kit holds the batch and tries it again.
 *
 * Errors say where and what, never the password. What the user needs is in `deploy/redis-users.sh`.
 */
export function openConnection({ url, log }: { url: string; log: Logger }): Connection {
  const where = `Redis at ${new URL(url).host}`;
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false, // `check` is our own: a Redis that still loads its data says so
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  });
  let made = 0;
  let reason: string | undefined;
  redis.on('error', (error: Error) => (reason = explainTls(error) ?? error.message));
  const fail = (error: unknown) => new Error(`${where}: ${explain((error as Error).message, reason)}`);

  const drop = async (): Promise<void> => {
    if (redis.status === 'end' || redis.status === 'wait') return;
    const ended = once(redis, 'end');
    redis.disconnect();
    await ended;
  };

  /** Connects, if it is not connected, and makes sure that this Redis may be trusted with counters. */
  const ready = async (): Promise<void> => {
    if (redis.status === 'ready') return;
    reason = undefined;
    try {
      await drop();
      made += 1;
      await redis.connect();
      await check(redis, log);
    } catch (error) {
      const failure = fail(error);
      await drop();
      throw failure;
    }
  };

  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    await ready();
    try {
      return await work();
    } catch (error) {
      // What Redis itself says came over a connection that works; anything else may have come from a dead one.
      const { cause } = error as Error;
      if (error instanceof ReplyError || error instanceof DataLostError || cause instanceof ReplyError) throw error;
      const failure = fail(error);
      await drop();
      throw failure;
    }
  };

  let turn: Promise<unknown> = Promise.resolve();
  return {
    redis,
    made: () => made,
    explained: fail,
    use(work) {
      const mine = turn.then(() => use(work));
      turn = mine.catch(() => {}); // who asked hears of it
      return mine;
    },
    close: drop,
  };
}

/** @throws Error when this Redis may throw counters or identities away to make room. */
async function check(redis: Redis, log: Logger): Promise<void> {
  const info = await redis.info();
  const policy = /^maxmemory_policy:(.+?)\r?$/m.exec(info)?.[1];
  if (policy !== undefined && policy !== 'noeviction') {
    throw new Error(
      `maxmemory-policy is ${policy}: it may throw counters away to make room. Set it to noeviction ` +
        '(CONFIG SET maxmemory-policy noeviction, and in redis.conf).',
    );
  }
  if (/^aof_enabled:0/m.test(info)) {
    log.warn('Redis keeps no append-only file: what it counted since its last snapshot is lost if it crashes; set appendonly yes'); // prettier-ignore
  }
}

/** The words of ioredis for a connection that is gone say nothing about why; what it said before does. */
function explain(message: string, reason: string | undefined): string {
  const said = /^(Connection is closed|Stream isn't writeable)/.test(message) ? (reason ?? 'the connection was closed') : message; // prettier-ignore
  if (/^(WRONGPASS|NOAUTH|ERR AUTH)/.test(said)) return `the user or password in REDIS_URL is refused (${said})`;
  if (said === 'Command timed out') return `no answer within ${COMMAND_TIMEOUT_MS} ms`;
  return said;
}
