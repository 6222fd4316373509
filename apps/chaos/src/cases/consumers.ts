import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect, type ChannelModel } from 'amqplib';
import type { Case, World } from '../case';
import { pause } from '../wait';

/** What the broker does to consumers that die, or that do not acknowledge: F24, F27. */

const QUEUE = 'weir.redis';
const DEAD = 'weir.dead.redis';
/** As in the topology: after so many returns a message goes to the dead letters. */
const DELIVERY_LIMIT = 100;

async function withBroker<T>({ system }: World, work: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(system.direct.amqp, { timeout: 5_000 });
  connection.on('error', () => {});
  try {
    return await work(connection);
  } finally {
    await Promise.race([connection.close().catch(() => {}), pause(1_000)]); // a dead one closes never
  }
}

const messagesIn = (world: World, queue: string): Promise<number> =>
  withBroker(world, async (connection) => {
    const channel = await connection.createChannel();
    return (await channel.checkQueue(queue)).messageCount;
  });

/** A consumer that takes as many as it may have, acknowledges none, and whose connection is gone at once. */
const dieWith = (world: World, prefetch: number): Promise<void> =>
  withBroker(world, async (connection) => {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(prefetch);
    let taken = 0;
    await channel.consume(QUEUE, () => void (taken += 1));
    await world.until(`${prefetch} messages are in hand`, () => taken === prefetch);
    (connection.connection as unknown as { stream: Socket }).stream.destroy(new Error('dead'));
  });

/** As an operator would with `weir dead-letters replay`: back into the queue, confirmed, then gone from the dead. */
const returnDeadLetters = (world: World): Promise<number> =>
  withBroker(world, async (connection) => {
    const channel = await connection.createConfirmChannel();
    let returned = 0;
    for (;;) {
      const letter = await channel.get(DEAD);
      if (!letter) return returned;
      const { messageId, type, contentType } = letter.properties as unknown as Record<string, string | undefined>;
      const basic = { ...(messageId ? { messageId } : {}), ...(type ? { type } : {}), ...(contentType ? { contentType } : {}) }; // prettier-ignore
      channel.sendToQueue(QUEUE, letter.content, { persistent: true, mandatory: true, ...basic });
      await channel.waitForConfirms();
      channel.ack(letter);
      returned += 1;
    }
  });

/** Publishes so many and waits until they lie in the queue of the worker, which does not run. */
async function fillQueue(world: World, count: number): Promise<void> {
  const stream = world.stream('waiting');
  while (stream.acknowledged < count) {
    const event = stream.issue();
    if (await world.amqp.publish(event)) stream.acknowledge(event);
  }
  await world.until('the queue has them', async () => (await messagesIn(world, QUEUE)) >= count);
}

async function dieOften(world: World, times: number, prefetch: number): Promise<void> {
  const waiting = await messagesIn(world, QUEUE);
  const returned = async () => (await messagesIn(world, QUEUE)) >= waiting;
  for (let left = times; left > 0; left -= 1) {
    await world.until('what the last one had is back', returned);
    await dieWith(world, prefetch);
  }
}

export const consumerCases: readonly Case[] = [
  {
    id: 'F24',
    title: 'consumers of a quorum queue die 25 times with the same messages in hand',
    system: 'shared',
    async play(world) {
      await world.app('redis-worker').stop();
      await fillQueue(world, 400);
      await dieOften(world, 25, 200);
      await world.pause(500);
      const dead = await messagesIn(world, DEAD);
      if (dead > 0) throw new Error(`${dead} messages are among the dead letters after 25 deaths of their consumers`);
    },
  },
  {
    id: 'F24-limit',
    title: 'consumers die with the same messages until the delivery limit: parked, not dropped, the rest goes on',
    system: 'own',
    long: true,
    async play(world) {
      await world.app('redis-worker').stop();
      await fillQueue(world, 400);
      await dieOften(world, DELIVERY_LIMIT + 1, 50);
      await world.until('50 messages are among the dead letters', async () => (await messagesIn(world, DEAD)) >= 50);
      world.app('redis-worker').start();
      await world.until('the rest is taken', async () => (await messagesIn(world, QUEUE)) === 0);
      world.note(`${await returnDeadLetters(world)} dead letters returned`);
    },
  },
  {
    id: 'F24-worker',
    title: 'the redis-worker killed with -9 22 times, each time after storing what it then gets again',
    system: 'own',
    long: true,
    async play(world) {
      const worker = world.app('redis-worker');
      const toBroker = world.link('redis-worker>rabbitmq');
      world.load({ perSecond: 100 });
      for (let times = 22; times > 0; times -= 1) {
        toBroker.blackHole('toServer'); // what was sent before is stored; the acks do not go
        await world.pause(world.random.between(200, 500));
        await worker.kill();
        toBroker.cut();
        await toBroker.heal();
        worker.start();
        await worker.ready();
      }
      const dead = await messagesIn(world, DEAD);
      if (dead > 0) throw new Error(`${dead} messages are among the dead letters after 22 deaths of their worker`);
    },
  },
  {
    id: 'F27',
    title: 'a store takes nothing for longer than the broker waits for acknowledgements (a minute here)',
    system: 'own',
    long: true,
    async play(world) {
      const seconds = 60;
      const { system } = world;
      // A channel takes both settings when it opens.
      await system.evaluate(
        `application:set_env(rabbit, consumer_timeout, ${seconds * 1000}), application:set_env(rabbit, channel_tick_interval, 2000).`,
      );
      world.linksTo('rabbitmq').cut();
      const worker = world.app('influx-worker');
      await world.until('the influx-worker consumes again', async () => (await worker.readiness())?.ready, 60_000);
      world.load();
      world.watchLag(['redis', 'mongo']);
      await world.pause(1_000);
      const before = await refusalsIn(worker.logFile);
      world.link('influx-worker>influxdb').blackHole();
      const again = async () => (await refusalsIn(worker.logFile)) >= before + 2;
      await world.until('the broker has closed the channel twice', again, (3 * seconds + 90) * 1000);
      await world.link('influx-worker>influxdb').heal();
    },
  },
];

async function refusalsIn(logFile: string): Promise<number> {
  return (await readFile(logFile, 'utf8')).split('\n').filter((line) => line.includes('delivery acknowledgement'))
    .length;
}
