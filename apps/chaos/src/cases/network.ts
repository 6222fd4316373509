import type { Case } from '../case';
import { APPS } from '../system';

/** The ways to the broker: absent at the start, slow, silent; and clients that lose the answer. F01, F07, F08, F56. */

export const networkCases: readonly Case[] = [
  {
    id: 'F01',
    title: 'no broker when the apps start',
    system: 'shared',
    async play(world) {
      await world.servers.rabbitmq.stop();
      for (const name of APPS) {
        await world.app(name).stop();
        world.app(name).start();
      }
      for (const name of APPS) {
        await world.until(`${name} says that there is no broker, and is ready only if it can do without`, async () => {
          const { ready = true, checks = {} } = (await world.app(name).readiness()) ?? {};
          return typeof checks['rabbitmq'] === 'string' && ready === (name === 'ingest');
        });
      }
      const early = world.stream('early');
      await world.until('ingest takes an event', async () => {
        const event = early.issue();
        const { taken } = await world.http.post([event]);
        if (taken.length === 1) early.acknowledge(event);
        return taken.length === 1;
      });
      world.load({ ways: { single: 0.5, batch: 0.5 } });
      await world.pause(3_000);
      await world.servers.rabbitmq.start();
      await world.pause(1_000);
    },
  },
  {
    id: 'F07',
    title: 'half a second of round trip, and pauses such as lost packets make, between everything and the broker',
    system: 'shared',
    async play(world) {
      const broker = world.linksTo('rabbitmq');
      world.load();
      for (let left = world.thorough ? 20 : 6; left > 0; left -= 1) {
        broker.delay(250);
        await world.pause(world.random.between(300, 1_500));
        broker.blackHole();
        await world.pause(world.random.between(200, 600));
        await broker.heal();
      }
    },
  },
  {
    id: 'F08',
    title: 'the broker accepts connections and never says a word',
    system: 'shared',
    async play(world) {
      const ingest = world.app('ingest');
      world.load();
      await world.pause(1_000);
      world.linksTo('rabbitmq').blackHole();
      await ingest.kill();
      ingest.start();
      await world.until('ingest says what is wrong with the broker, and goes on', async () => {
        const { ready = false, checks = {} } = (await ingest.readiness()) ?? {};
        return ready && typeof checks['rabbitmq'] === 'string' && checks['rabbitmq'] !== 'not connected yet';
      });
      await world.until('ingest spools', async () => ((await ingest.metric('weir_spool_events')) ?? 0) > 0);
      await world.pause(3_000);
    },
  },
  {
    id: 'F56',
    title: 'clients lose the answer of ingest and send again under the same id',
    system: 'shared',
    async play(world) {
      const link = world.link('clients>ingest');
      const before = link.dropped;
      const times = world.thorough ? 100 : 20;
      world.load({ perSecond: 300, ways: { single: 0.5, batch: 0.5 } });
      await world.pause(500);
      link.dropReplies({ containing: 'POST /events', times });
      await world.until(`${times} answers were lost`, () => link.dropped - before === times, 60_000);
      await world.pause(1_000);
    },
  },
];
