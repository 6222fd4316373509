import type { Case, World } from '../case';
import type { AppName, LinkName } from '../system';

/** Workers die before, within and after their work: F20 to F31. */

interface Part {
  app: AppName;
  toBroker: LinkName;
  toStore: LinkName;
}

const WORKERS: readonly Part[] = [
  { app: 'redis-worker', toBroker: 'redis-worker>rabbitmq', toStore: 'redis-worker>redis' },
  { app: 'influx-worker', toBroker: 'influx-worker>rabbitmq', toStore: 'influx-worker>influxdb' },
  { app: 'mongo-worker', toBroker: 'mongo-worker>rabbitmq', toStore: 'mongo-worker>mongodb' },
];

/** Does something to each worker in turn, its death included, and starts it again. */
async function eachWorker(world: World, until: (part: Part) => Promise<void>): Promise<void> {
  world.load();
  await world.pause(1_000);
  for (const part of world.random.shuffled(WORKERS)) {
    await until(part);
    await world.app(part.app).kill();
    // What the dead one sent last may still arrive, or not.
    if (world.random.chance(0.5)) {
      world.link(part.toStore).cut();
      world.link(part.toBroker).cut();
    }
    await Promise.all([world.link(part.toStore).heal(), world.link(part.toBroker).heal()]);
    world.app(part.app).start();
    await world.app(part.app).ready();
  }
  await world.pause(1_000);
}

export const workerCases: readonly Case[] = [
  {
    id: 'F20',
    title: 'one worker stopped while the others go on, then it catches up',
    system: 'shared',
    async play(world) {
      world.load({ perSecond: 500 });
      world.watchLag(['redis', 'influx']);
      await world.pause(1_000);
      const code = await world.app('mongo-worker').stop();
      if (code !== 0) throw new Error(`mongo-worker ended with exit code ${code} after SIGTERM`);
      await world.pause(world.thorough ? 30_000 : 8_000);
      world.app('mongo-worker').start();
      await world.pause(1_000);
    },
  },
  {
    id: 'F21',
    title: 'workers killed with -9 after their store has the batch, before the broker has the ack',
    system: 'shared',
    play: (world) =>
      eachWorker(world, async ({ toBroker }) => {
        world.link(toBroker).blackHole('toServer'); // batches come and are stored; acks do not go
        await world.pause(world.random.between(800, 1_600));
      }),
  },
  {
    id: 'F22',
    title: 'workers killed with -9 before their store has the batch',
    system: 'shared',
    play: (world) =>
      eachWorker(world, async ({ toStore }) => {
        world.link(toStore).blackHole('toServer');
        await world.pause(world.random.between(800, 1_600));
      }),
  },
  {
    id: 'F23',
    title: 'workers killed with -9 in the middle of batches of a thousand, again and again',
    system: 'shared',
    async play(world) {
      const rounds = world.thorough ? 6 : 2;
      world.load({ perSecond: 800, ways: { batch: 1 }, batch: 100 });
      for (let round = 0; round < rounds; round += 1) {
        const names = WORKERS.map(({ app }) => app);
        for (const name of names) world.app(name).suspend();
        await world.pause(1_500); // so that the next batches are full
        for (const name of world.random.shuffled(names)) {
          world.app(name).resume();
          await world.pause(world.random.between(1, 60));
          await world.app(name).kill();
        }
        for (const name of names) world.app(name).start();
        await Promise.all(names.map((name) => world.app(name).ready()));
        await world.pause(world.random.between(0, 500));
      }
    },
  },
  {
    id: 'F31',
    title: 'the same event published three times at once, by three ways',
    system: 'shared',
    async play(world) {
      const stream = world.stream('thrice');
      const total = world.thorough ? 3_000 : 600;
      for (let sent = 0; sent < total; sent += 20) {
        const events = Array.from({ length: 20 }, () => stream.issue());
        await Promise.all(
          events.map(async (event) => {
            const copies = await Promise.all([
              world.http.post([event]).then(({ taken }) => taken.length === 1),
              world.amqp.publish(event),
              world.amqp.publish(event),
            ]);
            if (copies.includes(true)) stream.acknowledge(event);
          }),
        );
      }
      if (stream.acknowledged < total) throw new Error(`only ${stream.acknowledged} of ${total} were acknowledged`);
    },
  },
];
