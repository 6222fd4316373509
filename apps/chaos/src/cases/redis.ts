import { Redis } from 'ioredis';
import type { Case, World } from '../case';

/** Redis is there and refuses, or is away for long: F34, F38 to F40. */

/** Past the proxy, as an operator would. Redis is not asked whether it is ready: one that is busy would refuse that. */
async function asOperator<T>(world: World, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(world.system.direct.redis, { enableReadyCheck: false });
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

/** A script of somebody else runs and runs, until the redis-worker says so; it is ended whatever happens. */
async function busy(world: World, redis: Redis): Promise<void> {
  const threshold = (await redis.config('GET', 'busy-reply-threshold')) as [name: string, value: string];
  await redis.config('SET', 'busy-reply-threshold', '200');
  const endless = redis.eval('while true do end', 0).catch(() => {}); // killed
  try {
    await untilSaid(world, /BUSY|no answer/);
  } finally {
    // Until it is busy there is nothing that could be killed, and Redis says so.
    await world.until('the script is killed', () => asOperator(world, (other) => other.script('KILL')));
    await endless;
    await redis.config('SET', 'busy-reply-threshold', threshold[1]);
  }
}

/** Until the redis-worker says itself that something is wrong, in words that match. */
const untilSaid = (world: World, words: RegExp) =>
  world.until(`the redis-worker says ${words}`, async () => {
    const { ready = true, checks = {} } = (await world.app('redis-worker').readiness()) ?? {};
    return !ready && words.test(Object.values(checks).join(' '));
  });

export const redisCases: readonly Case[] = [
  {
    id: 'F34',
    title: 'Redis down while events go on',
    system: 'shared',
    async play(world) {
      const worker = world.app('redis-worker');
      world.load({ perSecond: 400 });
      world.watchLag(['influx', 'mongo']);
      await world.pause(1_000);
      const before = worker.resources()?.rssBytes ?? 0;
      await world.servers.redis.kill();
      await world.pause(world.thorough ? 60_000 : 6_000);
      const grown = Math.round(((worker.resources()?.rssBytes ?? 0) - before) / 1024 ** 2);
      world.note(`redis-worker grew by ${grown} MiB`);
      if (grown > 100) throw new Error('the redis-worker piles up what it cannot count');
      await world.servers.redis.start();
    },
  },
  {
    id: 'F38',
    title: 'Redis at its memory limit refuses writes; and one that may evict is not trusted',
    system: 'shared',
    async play(world) {
      world.load({ perSecond: 400 });
      world.watchLag(['influx', 'mongo']);
      await world.pause(1_000);
      await asOperator(world, (redis) => redis.config('SET', 'maxmemory', '1'));
      await untilSaid(world, /OOM|maxmemory/);
      await world.pause(1_000);
      await asOperator(world, (redis) => redis.config('SET', 'maxmemory', '0'));
      await world.app('redis-worker').ready();

      await world.app('redis-worker').stop();
      await asOperator(world, (redis) => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'));
      world.app('redis-worker').start();
      await untilSaid(world, /maxmemory-policy is allkeys-lru/);
      await asOperator(world, (redis) => redis.config('SET', 'maxmemory-policy', 'noeviction'));
    },
  },
  {
    id: 'F39',
    title: 'Redis read-only as after a failover, its scripts forgotten, and busy with a script of somebody else',
    system: 'shared',
    async play(world) {
      world.load({ perSecond: 400 });
      world.watchLag(['influx', 'mongo']);
      await world.pause(1_000);
      await asOperator(world, async (redis) => {
        await redis.script('FLUSH');
        await world.pause(500);
        await redis.replicaof('127.0.0.1', 1);
        await untilSaid(world, /READONLY/);
        await redis.replicaof('NO', 'ONE');
      });
      await world.app('redis-worker').ready();
      await asOperator(world, (redis) => busy(world, redis));
      await world.pause(1_000);
    },
  },
  {
    id: 'F40',
    title: 'a counter is of a wrong type: nothing of its batch is counted, and the worker says which key it is',
    system: 'own',
    async play(world) {
      const key = 'pulls/o/wrong.example';
      await asOperator(world, (redis) => redis.lpush(key, 'not a counter'));
      const stream = world.stream('wrong', (event) => ({
        ...event,
        type: 'io.weir.pull',
        data: { repository: 'a/b', platform: 'linux/amd64', user: { organization: 'wrong.example' } },
      }));
      world.load();
      world.watchLag(['influx', 'mongo']);
      const event = stream.issue();
      // The publisher of a system that has just begun may not be connected yet.
      await world.until('the broker has the event', () => world.amqp.publish(event));
      stream.acknowledge(event);
      await untilSaid(world, /pulls\/o\/wrong\.example/);
      await world.pause(2_000);
      await asOperator(world, (redis) => redis.del(key));
    },
  },
];
