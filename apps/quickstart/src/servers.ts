import { join } from 'node:path';
import { startInfluxdb, startRabbitmq, startRedis, startRegistry } from '@weir/testing';
import type { PrivateServer, StartOptions } from '@weir/testing';
import type { ServerKey } from './endpoints';
import type { RunningServer, ServerPart } from './parts';

type Start = (options: StartOptions) => Promise<PrivateServer>;

/** The servers of Weir, each found as DESIGN section 6 says. */
export const serverParts: ServerPart[] = [
  part('amqp', 'RabbitMQ', 'AMQP_URL', startRabbitmq),
  part('redis', 'Redis', 'REDIS_URL', startRedis),
  part('influx', 'InfluxDB', 'INFLUX_URL', startInfluxdb),
  part('registry', 'Registry', undefined, startRegistry),
];

type UrlVariable = 'AMQP_URL' | 'REDIS_URL' | 'INFLUX_URL' | 'MONGODB_URL';

function part(key: ServerKey, what: string, variable: UrlVariable | undefined, start: Start): ServerPart {
  return {
    key,
    what,
    async find({ folder, settings }) {
      const given = variable && settings[variable];
      if (given !== undefined) return { key, what, url: given, found: 'url', note: `given by ${variable}`, pids: () => [], stop: async () => {} };
      return running(key, what, await start({ dir: join(folder.data, key) }));
    },
  };
}

function running(key: ServerKey, what: string, server: PrivateServer): RunningServer {
  return {
    key,
    what,
    url: server.url,
    found: server.found,
    note: server.note,
    pids: () => server.pids,
    async restart() {
      await server.stop(); // of several processes, one may still run
      await server.start();
    },
    stop: () => server.stop(),
  };
}
