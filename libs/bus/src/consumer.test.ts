import { connect, type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { isolated, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { createConsumer, declareOn, declareTopology, queueOf, type Consumer, type Handle } from './index';

const log = pino({ level: 'silent' });
const queue = queueOf('redis');
let place: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;
let consumer: Consumer | undefined;

const consume = (handle: Handle<ConsumeMessage>, maxEvents = 10, working = () => true) =>
  (consumer = createConsumer({
    url: place.url,
    worker: 'redis',
    log,
    maxEvents,
    maxAgeMs: 5,
    prepare: declareOn,
    read: (message) => message,
    handle,
    working,
  }));

async function send(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) channel.publish('', queue, Buffer.from(String(n)), { persistent: true });
  await channel.waitForConfirms();
}

beforeAll(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createConfirmChannel();
  await declareTopology(channel);
}, 60_000);
afterEach(async () => {
  await consumer?.close();
  await channel.purgeQueue(queue);
});
afterAll(async () => {
  await connection.close();
  await place.remove();
});

test('messages come in batches, in order, and each batch is acknowledged once it is done', async () => {
  await send(0, 25);
  const batches: number[][] = [];
  consume(async (batch) => void batches.push(batch.map(({ content }) => Number(content))));
  await until(() => batches.flat().length === 25);
  expect(batches.flat()).toEqual(Array.from({ length: 25 }, (_, n) => n));
  expect(Math.max(...batches.map(({ length }) => length))).toBe(10);
  await consumer?.close();
  expect((await channel.checkQueue(queue)).messageCount).toBe(0);
});

test('a batch that fails is delivered again', async () => {
  await send(0, 5);
  const seen: number[] = [];
  let failures = 1;
  consume(async (batch) => {
    if (failures-- > 0) throw new Error('not now');
    seen.push(...batch.map(({ content }) => Number(content)));
  });
  await until(() => seen.length === 5);
  expect(seen.sort()).toEqual([0, 1, 2, 3, 4]);
});

test('closing waits for the batches in hand, acknowledges them in order and gives the rest back', async () => {
  await send(0, 30);
  const release: (() => void)[] = [];
  consume(() => new Promise<void>((resolve) => release.push(resolve)));
  await until(() => release.length === 2);
  const closed = consumer?.close();
  release[1]?.();
  release[0]?.();
  await closed;
  expect(release).toHaveLength(2);
  await until(async () => (await channel.checkQueue(queue)).messageCount === 10);
});

test('nothing behind a batch that failed is acknowledged', async () => {
  await send(0, 20);
  const seen: number[] = [];
  let failures = 1;
  consume(async (batch) => {
    if (failures-- > 0) {
      await until(() => seen.length > 0); // the second batch is done first
      throw new Error('not now');
    }
    seen.push(...batch.map(({ content }) => Number(content)));
  });
  await until(() => seen.length >= 30);
  expect([...new Set(seen)].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('a queue that is deleted under the consumer is declared and consumed anew', async () => {
  const seen: string[] = [];
  consume(async (batch) => void seen.push(...batch.map(({ content }) => content.toString())));
  await until(() => consumer?.state() === true);
  await channel.deleteQueue(queue);
  await until(async () => {
    const own = await connection.createChannel();
    own.on('error', () => {});
    return (await own.checkQueue(queue)).consumerCount === 1; // declared again, by the consumer
  });
  await send(7, 8);
  await until(() => seen.includes('7'));
});

test('a message that is held is not acknowledged with its batch, nor with later ones', async () => {
  await send(0, 25);
  const seen: number[] = [];
  consume(async (batch) => {
    seen.push(...batch.map(({ content }) => Number(content)));
    const held = batch.filter(({ content }) => [5, 15].includes(Number(content)) && seen.length <= 25);
    return new Map(held.map((message) => [message, new Promise<void>(() => {})]));
  });
  await until(() => seen.length === 25);
  expect(consumer?.oldestSince()).toBeGreaterThan(0);
  consumer?.reset('so that the broker delivers again what it has no acknowledgement for');
  await until(() => seen.length === 27);
  expect(seen.slice(25)).toEqual([5, 15]);
});

test('and it is, when its promise resolves', async () => {
  await send(0, 25);
  const release: (() => void)[] = [];
  let seen = 0;
  consume(async (batch) => {
    seen += batch.length;
    const held = batch.filter(({ content }) => Number(content) % 10 === 5);
    return new Map(held.map((message) => [message, new Promise<void>((resolve) => release.push(resolve))]));
  });
  await until(() => seen === 25);
  await until(() => release.length === 2);
  for (const done of release) done();
  await until(() => consumer?.oldestSince() === undefined);
  await consumer?.close();
  expect((await channel.checkQueue(queue)).messageCount).toBe(0);
});

test('a message whose holding fails is delivered again', async () => {
  await send(0, 10);
  const seen: string[] = [];
  let failures = 1;
  consume(async (batch) => {
    seen.push(...batch.map(({ content }) => content.toString()));
    const bad = batch.filter(({ content }) => content.toString() === '3' && failures-- > 0);
    return new Map(bad.map((message) => [message, Promise.reject(new Error('cannot be parked'))]));
  });
  await until(() => seen.filter((body) => body === '3').length === 2);
  await until(() => consumer?.oldestSince() === undefined);
  await consumer?.close();
  expect((await channel.checkQueue(queue)).messageCount).toBe(0);
});

test('a batch that fails while closing is given back, and the consumer does not come back', async () => {
  await send(0, 3);
  let fail = () => {};
  let batches = 0;
  consume(async () => {
    batches += 1;
    await new Promise<void>((_, reject) => (fail = () => reject(new Error('not now'))));
  });
  await until(() => batches === 1);
  const closed = consumer?.close();
  fail();
  await closed;
  await until(async () => (await channel.checkQueue(queue)).messageCount === 3);
  expect((await channel.checkQueue(queue)).consumerCount).toBe(0);
  expect(batches).toBe(1);
});

test('while batches do not get done a new channel takes one message, and more when that one is done', async () => {
  await send(0, 30);
  const seen: number[] = [];
  let working = false;
  let release = () => {};
  consume(
    async (batch) => {
      seen.push(...batch.map(({ content }) => Number(content)));
      if (!working) await new Promise<void>((resolve) => (release = resolve));
      working = true;
    },
    10,
    () => working,
  );
  await until(() => seen.length === 1);
  expect((await channel.checkQueue(queue)).messageCount).toBe(29);
  release();
  // On a new channel, so what was on its way on the old one comes again.
  await until(() => new Set(seen).size === 30);
  expect([...new Set(seen)].sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n));
  await consumer?.close();
  expect((await channel.checkQueue(queue)).messageCount).toBe(0);
});
