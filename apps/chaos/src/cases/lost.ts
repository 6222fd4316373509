import { Redis } from 'ioredis';
import type { Case } from '../case';
import { weir } from '../command-line';

/** A store has lost what it had, or holds what does not fit: F37, F42. */

export const lostCases: readonly Case[] = [
  {
    id: 'F37',
    title: 'Redis comes back empty: counting stops, and everything is recounted from the history',
    system: 'own',
    async play(world) {
      const worker = world.app('redis-worker');
      world.load();
      world.watchLag(['influx', 'mongo']);
      await world.pause(3_000);
      const redis = new Redis(world.system.direct.redis);
      await redis.flushall();
      redis.disconnect();
      await world.until(
        'the redis-worker has noticed',
        async () => (await worker.metric('weir_redis_data_lost')) === 1,
      );
      if ((await worker.readiness())?.ready) throw new Error('the redis-worker is ready though its data is gone');
      await weir(world.system, 'rebuild', '--yes');
      await worker.ready();
    },
  },
  {
    id: 'F42',
    title:
      'InfluxDB refuses some points of each batch for good: the others are stored once, those are parked and replayed',
    system: 'own',
    async play(world) {
      const { influx, influxDatabase } = world.system.direct;
      const { origin, username, password } = new URL(influx);
      const headers = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
      const post = (path: string, body: string, type: string) =>
        fetch(`${origin}${path}`, { method: 'POST', headers: { ...headers, 'content-type': type }, body });
      // From now on no other point of this measurement may have a number there.
      await post(`/write?db=${influxDatabase}`, 'view,source=/foreign bytes="text"', 'text/plain');
      world.load({ perSecond: 400 });
      const parked = async () => ((await world.app('influx-worker').metric('weir_worker_events_total')) ?? 0) > 1_000;
      await world.until('a thousand events went through', parked);
      await world.pause(1_000);
      const q = new URLSearchParams({ db: influxDatabase, q: 'DROP MEASUREMENT "view"' });
      await post('/query', q.toString(), 'application/x-www-form-urlencoded');
      await world.pause(1_000);
      const letters = (await weir(world.system, 'dead-letters', 'replay', '--worker', 'influx', '--yes')).split('\n');
      world.note(`${letters.filter(Boolean).length} points were refused and replayed`);
      if (letters.length < 10) throw new Error('InfluxDB refused nothing: the case is no case');
    },
  },
];
