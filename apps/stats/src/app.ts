import { createServer } from 'node:http';
import { listen, type Config, type Context } from '@weir/service';
import { createCubes, createFlow, createQueries, createUniques } from '@weir/usage';
import type { variables } from './config';
import { createMetrics } from './metrics';
import { openRedis } from './redis';
import { createRoutes } from './routes';
import { createOpenApi } from './v1/openapi';
import { createTurns } from './v1/turns';

/** Questions that are answered at once: each is some commands of Redis, which does one at a time. */
const MAX_RUNNING = 32;

/** Starts the read API; it stays up, and says so, while Redis is away. */
export async function start(config: Config<typeof variables>, context: Context): Promise<void> {
  const { log, health, onStop } = context;
  const { redis, ready } = openRedis({ url: config.REDIS_URL, log });
  onStop('redis', () => redis.disconnect());
  health.check('redis', ready);

  const prefix = config.REDIS_PREFIX;
  const queries = createQueries({ redis, prefix });
  const uniques = createUniques({ redis, prefix, keepDays: config.UNIQUES_DAYS });
  const turns = createTurns(MAX_RUNNING);
  const v1 = {
    cubes: createCubes({ redis, prefix }),
    flow: createFlow({ redis, prefix }),
    turns,
    metrics: createMetrics([context.metrics], turns.taken),
  };
  const accounts = [...config.STATS_USERS, ...config.STATS_KEYS];
  const openApi = createOpenApi(context.version);
  const origins = config.STATS_CORS_ORIGINS;
  const server = createServer(createRoutes({ queries, uniques, v1, openApi, origins, accounts, log }));
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
