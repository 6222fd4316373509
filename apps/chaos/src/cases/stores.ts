import type { Case } from '../case';

/** The stores go, lose replies, refuse: F34 to F47. */

const http = (status: string, headers: string) =>
  `HTTP/1.1 ${status}\r\n${headers}content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`;

export const storeCases: readonly Case[] = [
  {
    id: 'F35',
    title: 'Redis executes the counting script, and its reply is lost',
    system: 'shared',
    async play(world) {
      const link = world.link('redis-worker>redis');
      const before = link.dropped;
      const times = world.thorough ? 20 : 4;
      world.load({ perSecond: 500 });
      await world.pause(500);
      link.dropReplies({ containing: 'evalsha', times });
      await world.until(`${times} replies were lost`, () => link.dropped - before === times, 60_000);
      await world.pause(1_000);
    },
  },
  {
    id: 'F36',
    title: 'Redis killed with -9, append-only file synced every second',
    system: 'shared',
    async play(world) {
      world.load({ perSecond: 500 });
      world.watchLag(['influx', 'mongo']);
      for (let times = world.thorough ? 5 : 2; times > 0; times -= 1) {
        await world.pause(world.random.between(1_000, 2_000));
        await world.servers.redis.kill();
        await world.pause(world.random.between(200, 1_500));
        await world.servers.redis.start();
      }
      await world.pause(1_000);
    },
  },
  {
    id: 'F41',
    title: 'InfluxDB answers 503, then 429 with Retry-After, is then killed, then frozen',
    system: 'shared',
    async play(world) {
      const link = world.link('influx-worker>influxdb');
      world.load({ perSecond: 400 });
      world.watchLag(['redis', 'mongo']);
      await world.pause(1_000);
      link.answer({ containing: 'POST /write', reply: http('503 Service Unavailable', ''), times: 3 });
      await world.pause(2_000);
      await link.heal();
      link.answer({ containing: 'POST /write', reply: http('429 Too Many Requests', 'retry-after: 1\r\n'), times: 2 });
      await world.pause(2_000);
      await link.heal();
      await world.servers.influxdb.kill();
      await world.pause(2_000);
      await world.servers.influxdb.start();
      await world.pause(500);
      world.servers.influxdb.suspend();
      await world.pause(world.thorough ? 60_000 : 4_000);
      world.servers.influxdb.resume();
    },
  },
  {
    id: 'F43',
    title: 'InfluxDB stores the points, and the connection dies before its 204',
    system: 'shared',
    async play(world) {
      const link = world.link('influx-worker>influxdb');
      const before = link.dropped;
      const times = world.thorough ? 20 : 4;
      world.load({ perSecond: 400 });
      await world.pause(500);
      link.dropReplies({ containing: 'POST /write', times });
      await world.until(`${times} replies were lost`, () => link.dropped - before === times, 60_000);
      await world.pause(1_000);
    },
  },
];
