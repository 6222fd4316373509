import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { isolated, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { createConsumer, declareOn, declareTopology, EXCHANGE, isOptional, queueOf, topology, WORKERS } from './index';
import { delay } from './link';
import { MismatchError } from './mismatch';

const log = pino({ level: 'silent' });
let place: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;

beforeEach(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createConfirmChannel();
}, 60_000);
afterEach(async () => {
  await connection.close();
  await place.remove();
});

const argumentsOf = (name: string) => topology().queues.find((queue) => queue.name === name)?.options.arguments ?? {};

test('the queues of optional workers are bounded and lose their oldest; those of the counters refuse instead', () => {
  expect(WORKERS.filter(isOptional)).toEqual(['mongo']);
  expect(argumentsOf(queueOf('mongo'))).toMatchObject({
    'x-max-length': 2_000_000,
    'x-max-length-bytes': 2 * 1024 ** 3,
    'x-overflow': 'drop-head',
  });
  expect(Object.keys(argumentsOf(queueOf('mongo'))).filter((name) => name.startsWith('x-dead-letter'))).toEqual([]);
  for (const worker of WORKERS.filter((name) => !isOptional(name))) {
    expect(argumentsOf(queueOf(worker))).toMatchObject({ 'x-overflow': 'reject-publish' });
    expect(Object.keys(argumentsOf(queueOf(worker))).filter((name) => name.startsWith('x-max-length'))).toEqual([]);
  }
});

/** Declares what Weir would, with a smaller bound for the optional worker, and publishes ten events to it. */
test('a full queue of an optional worker drops its oldest, and publishers are not refused', async () => {
  const queue = queueOf('mongo');
  await channel.assertExchange(EXCHANGE, 'fanout', { durable: true });
  await channel.assertQueue(queue, { durable: true, arguments: { ...argumentsOf(queue), 'x-max-length': 3 } });
  await channel.bindQueue(queue, EXCHANGE, '');
  for (let n = 0; n < 10; n += 1) channel.publish(EXCHANGE, '', Buffer.from(String(n)), { persistent: true });
  await channel.waitForConfirms();
  await until(async () => (await channel.checkQueue(queue)).messageCount === 3);
  const left = [];
  for (let n = 0; n < 3; n += 1) left.push((await channel.get(queue, { noAck: true })) || undefined);
  expect(left.map((message) => message?.content.toString())).toEqual(['7', '8', '9']);
});

test('a queue that was declared with other arguments is named, with the argument and what to do', async () => {
  const without = { ...argumentsOf(queueOf('mongo')), 'x-max-length': undefined };
  await channel.assertQueue(queueOf('mongo'), { durable: true, arguments: without });
  const consumer = createConsumer({ url: place.url, worker: 'redis', log, maxEvents: 10, maxAgeMs: 5, prepare: declareOn, read: (message) => message, handle: async () => {} }); // prettier-ignore
  await until(() => String(consumer.state()).includes('weir.mongo'));
  expect(consumer.state()).toMatch(
    /^the queue weir\.mongo was declared with another x-max-length: the broker has none, Weir declares '2000000'\. .*rabbitmqctl -p '.+' delete_queue weir\.mongo/,
  );
  await consumer.close();
});

test('so is an exchange', async () => {
  await channel.assertExchange(EXCHANGE, 'direct', { durable: true, alternateExchange: 'weir.unrouted' });
  channel.on('error', () => {});
  const refused = await declareTopology(channel).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(MismatchError);
  expect((refused as Error).message).toMatch(
    /^the exchange weir\.events was declared with another type: the broker has 'direct', Weir declares 'fanout'/,
  );
});

test('what only a person can mend is tried again slowly, anything else soon', () => {
  const waits = (failure?: unknown) => Array.from({ length: 100 }, () => delay(1, failure));
  expect(Math.min(...waits(new MismatchError('other arguments')))).toBeGreaterThanOrEqual(30_000);
  expect(Math.max(...waits(new MismatchError('other arguments')))).toBeLessThanOrEqual(60_000);
  expect(Math.max(...waits(new Error('gone')))).toBeLessThanOrEqual(200);
});
