import { join } from 'node:path';
import { startInfluxdb, startMongodb, startRabbitmq, startRedis } from '@weir/testing';
import type { Servers } from './case';

/** Each server once, when it is first asked for, in a directory of its own below `dir`. */
export function createServers(dir: string): Servers & { stop(): Promise<void> } {
  const starting: Promise<{ stop(): Promise<void> }>[] = [];
  const once = <Server extends { stop(): Promise<void> }>(start: () => Promise<Server>): (() => Promise<Server>) => {
    let started: Promise<Server> | undefined;
    return () => {
      if (!started) starting.push((started = start()));
      return started;
    };
  };
  return {
    rabbitmq: once(() => startRabbitmq({ dir: join(dir, 'rabbitmq') })),
    redis: once(() => startRedis({ dir: join(dir, 'redis') })),
    influxdb: once(() => startInfluxdb({ dir: join(dir, 'influxdb') })),
    mongodb: once(() => startMongodb({ dir: join(dir, 'mongodb') })),
    async stop() {
      const started = await Promise.allSettled(starting);
      await Promise.all(started.map((each) => (each.status === 'fulfilled' ? each.value.stop() : undefined)));
    },
  };
}
