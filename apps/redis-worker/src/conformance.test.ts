import { createEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import { describeWorker, startRedis, temporaryDirectory } from '@weir/testing';
import { Redis } from 'ioredis';
import { redisWorker } from './redis';

describeWorker(redisWorker, async () => {
  const directory = await temporaryDirectory();
  const server = await startRedis({ dir: directory.path });
  const redis = new Redis(server.url);
  redis.on('error', () => {}); // the suite takes the server away
  const nobody = { repository: 'a', user: { organization: 'half a pair \udfff' } };
  return {
    server,
    config: readConfig(redisWorker.variables, { REDIS_URL: server.url, REDIS_PREFIX: 'suite:' }),
    count: async () => Number(await redis.get('suite:pulls/d/2026-11-23')),
    unacceptable: createEvent('io.weir.pull', nobody, { source: 'conformance' }),
    async close() {
      redis.disconnect();
      await server.stop();
      await directory.remove();
    },
  };
});
