import { explainTls } from '@weir/service';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';

const COMMAND_TIMEOUT_MS = 5000;
const MAX_RECONNECT_MS = 2000;

/**
 * A connection that comes back by itself. While it is away every question fails at once rather than wait. What the user
 * needs is in `deploy/redis-users.sh`.
 */
export function openRedis({ url, log }: { url: string; log: Logger }): {
  redis: Redis;
  ready(): Promise<true | string>;
} {
  const where = `Redis at ${new URL(url).host}`;
  let reason = 'not connected yet';
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * 100, MAX_RECONNECT_MS),
  });
  redis.on('error', (error: Error) => {
    const said = /^(WRONGPASS|NOAUTH|ERR AUTH)/.test(error.message)
      ? `the user or password in REDIS_URL is refused (${error.message})`
      : (explainTls(error) ?? error.message);
    if (said !== reason) log.warn({ reason: said }, `${where} cannot be used`);
    reason = said;
  });
  redis.on('ready', () => (reason = 'the connection was closed'));
  return {
    redis,
    async ready() {
      if (redis.status !== 'ready') return `${where}: ${reason}`;
      await redis.ping();
      return true;
    },
  };
}
