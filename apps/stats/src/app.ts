import { createServer } from 'node:http';
import { listen, type Config, type Context } from '@weir/service';
import { createQueries, createUniques } from '@weir/usage';
import type { variables } from './config';
import { openRedis } from './redis';
import { createRoutes } from './routes';

/** Starts the read API; it stays up, and says so, while Redis is away. */
export async function start(config: Config<typeof variables>, context: Context): Promise<void> {
  const { log, health, onStop } = context;
  const { redis, ready } = openRedis({ url: config.REDIS_URL, log });
  onStop('redis', () => redis.disconnect());
  health.check('redis', ready);

  const prefix = config.REDIS_PREFIX;
  const queries = createQueries({ redis, prefix });
  const uniques = createUniques({ redis, prefix, keepDays: config.UNIQUES_DAYS });
  const accounts = [...config.STATS_USERS, ...config.STATS_KEYS];
  const server = createServer(createRoutes({ queries, uniques, accounts, log }));
  server.headersTimeout = 10_000; // the default of a minute is too patient for requests that have no body
  server.requestTimeout = 15_000;
  const port = await listen(server, { host: context.host, port: config.STATS_PORT, variable: 'STATS_PORT' });
  onStop('HTTP server', () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    return closed;
  });
  log.info({ port }, 'answering');
}
