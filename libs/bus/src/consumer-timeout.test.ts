import { startRabbitmq, temporaryDirectory, until, type PrivateRabbitmq } from '@weir/testing';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import pino from 'pino';
import { createConsumer, declareOn, deadQueueOf, queueOf } from './index';

// F27 of the reliability reference, on a broker of its own: the time that it waits for acknowledgements is one for all.

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: PrivateRabbitmq;
let connection: ChannelModel;
let channel: ConfirmChannel;

beforeAll(async () => {
  dir = await temporaryDirectory();
  broker = await startRabbitmq({ dir: `${dir.path}/rabbitmq` });
  // A channel takes both when it opens.
  await broker.evaluate(
    'application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 300).',
  );
  connection = await connect(broker.url);
  await declareOn(connection);
  channel = await connection.createConfirmChannel();
}, 300_000);
afterAll(async () => {
  await connection.close();
  await broker.stop();
  await dir.remove();
}, 60_000);

test('of all that wait for a store that takes nothing, one message is returned at each timeout of the broker', async () => {
  for (let n = 0; n < 50; n += 1) channel.sendToQueue(queueOf('redis'), Buffer.from(String(n)), { persistent: true });
  await channel.waitForConfirms();
  const counts = new Map<number, number>();
  let working = true;
  let rounds = 0;
  const consumer = createConsumer({
    url: broker.url,
    worker: 'redis',
    log: pino({ level: 'silent' }),
    maxEvents: 10,
    maxAgeMs: 5,
    prepare: declareOn,
    read: (message) => message,
    working: () => working,
    handle: async (batch, signal) => {
      for (const { content, properties } of batch)
        counts.set(Number(content), Number(properties.headers?.['x-delivery-count'] ?? 0));
      rounds += 1;
      if (rounds >= 6) return void (working = true); // the store takes them again
      working = false;
      await new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))));
    },
  });
  await until(
    async () => counts.size === 50 && (await channel.checkQueue(queueOf('redis'))).messageCount === 0,
    60_000,
  );
  await consumer.close();
  // Those that were in hand at first, then one at each of three timeouts, and perhaps one that came while it consumed
  // anew; RabbitMQ delivers what was returned longest ago first, so no message is hit by two in a row.
  const returns = [...counts.values()];
  expect(Math.max(...returns)).toBe(2);
  expect(returns.filter((count) => count === 2).length).toBeLessThanOrEqual(4);
  expect((await channel.checkQueue(deadQueueOf('redis'))).messageCount).toBe(0);
}, 120_000);
