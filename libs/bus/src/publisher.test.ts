import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { createEvent, type WeirEvent } from '@weir/events';
import { startRabbitmq, temporaryDirectory, until, type PrivateRabbitmq } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createPublisher, EXCHANGE, HISTORY, queueOf, UNROUTED, WORKERS, type Publisher } from './index';

const log = pino({ level: 'silent' });
let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: PrivateRabbitmq;
let publisher: Publisher;
let connection: ChannelModel;
let channel: Channel;

const open = (spool = 'spool') =>
  createPublisher({
    url: broker.url,
    spoolDir: join(dir.path, spool),
    log,
    metrics: new Registry(),
    confirmTimeoutMs: 2000,
  });

const pulls = (n: number): WeirEvent[] =>
  Array.from({ length: n }, () => createEvent('io.weir.pull', { repository: 'a/b' }, { source: 'publisher-test' }));

const outcomes = async (events: WeirEvent[]) => {
  const counts: Record<string, number> = {};
  for (const result of await publisher.publishAll(events)) {
    const key = result.status === 'fulfilled' ? result.value : 'refused';
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
};

async function look(): Promise<void> {
  connection = await connect(broker.url);
  connection.on('error', () => {});
  channel = await connection.createChannel();
  channel.on('error', () => {});
}

/** Takes everything from a worker's queue: the identifiers, in the order of delivery. */
async function take(queue: string, atLeast: number): Promise<string[]> {
  const ids: string[] = [];
  await until(async () => {
    for (
      let message = await channel.get(queue, { noAck: true });
      message;
      message = await channel.get(queue, { noAck: true })
    ) {
      ids.push((JSON.parse(message.content.toString()) as WeirEvent).id);
    }
    return new Set(ids).size >= atLeast;
  });
  return ids;
}

beforeAll(async () => {
  dir = await temporaryDirectory();
  broker = await startRabbitmq({ dir: join(dir.path, 'rabbitmq'), startTimeoutMs: 150_000 });
  publisher = open();
  await until(() => publisher.ready() === true);
  await look();
}, 180_000);

afterAll(async () => {
  await publisher.close();
  await connection.close().catch(() => {});
  await broker.stop();
  await dir.remove();
}, 60_000);

beforeEach(async () => {
  for (const worker of WORKERS) await channel.purgeQueue(queueOf(worker));
});

test('a confirmed event is in the queue of every worker and in the history', async () => {
  const before = (await channel.checkQueue(HISTORY)).messageCount;
  const [event] = pulls(1) as [WeirEvent];
  expect(await publisher.publish(event)).toBe('confirmed');
  for (const worker of WORKERS) await until(async () => (await channel.checkQueue(queueOf(worker))).messageCount === 1);
  expect(await take(queueOf('redis'), 1)).toEqual([event.id]);
  await until(async () => (await channel.checkQueue(HISTORY)).messageCount === before + 1);
});

test('the message carries the event and what a reader of the queue wants to know', async () => {
  const [event] = pulls(1) as [WeirEvent];
  await publisher.publish(event);
  const message = await channel.get(queueOf('redis'), { noAck: true });
  if (!message) throw new Error('no message');
  expect(JSON.parse(message.content.toString())).toEqual(event);
  expect(message.properties).toMatchObject({
    contentType: 'application/cloudevents+json',
    messageId: event.id,
    type: 'io.weir.pull',
    deliveryMode: 2,
  });
});

test('what no queue would take is caught, not lost', async () => {
  await channel.unbindQueue(HISTORY, EXCHANGE, '');
  for (const worker of WORKERS) await channel.unbindQueue(queueOf(worker), EXCHANGE, '');
  const [event] = pulls(1) as [WeirEvent];
  expect(await publisher.publish(event)).toBe('confirmed');
  expect(await take(UNROUTED, 1)).toEqual([event.id]);
  for (const queue of [...WORKERS.map(queueOf), HISTORY]) await channel.bindQueue(queue, EXCHANGE, '');
});

test('events published while the broker is dead are spooled, and delivered after it is back, by whoever owns the spool then', async () => {
  await broker.kill();
  const events = pulls(1000);
  await until(() => publisher.ready() !== true);
  expect(await outcomes(events)).toEqual({ spooled: 1000 });
  await publisher.close();
  publisher = open();
  await until(() => publisher.depth().spooledEvents === 1000);
  await broker.start();
  await until(() => publisher.depth().spooledEvents === 0);
  await look();
  expect((await take(queueOf('redis'), 1000)).sort()).toEqual(events.map(({ id }) => id).sort());
});

test('a broker that dies in the middle loses nothing that was acknowledged', async () => {
  const events = pulls(3000);
  const publishing = outcomes(events);
  await broker.kill();
  await broker.start();
  const counts = await publishing;
  expect((counts['confirmed'] ?? 0) + (counts['spooled'] ?? 0)).toBe(3000);
  await until(() => publisher.depth().spooledEvents === 0 && publisher.ready() === true);
  await look();
  const ids = await take(queueOf('redis'), 3000);
  expect([...new Set(ids)].sort()).toEqual(events.map(({ id }) => id).sort());
});

test('a broker that no longer answers sends events to the spool, and what it had accepted is not lost', async () => {
  broker.suspend();
  const events = pulls(100);
  expect(await outcomes(events)).toEqual({ spooled: 100 });
  broker.resume();
  await until(() => publisher.depth().spooledEvents === 0 && publisher.ready() === true, 60_000);
  await connection.close().catch(() => {});
  await look();
  const ids = await take(queueOf('redis'), 100);
  expect([...new Set(ids)].sort()).toEqual(events.map(({ id }) => id).sort());
});

test('an event that neither broker nor spool takes is refused', async () => {
  await publisher.close();
  await writeFile(join(dir.path, 'a-file'), '');
  publisher = open('a-file/no-such-place');
  const [event] = pulls(1) as [WeirEvent];
  await expect(publisher.publish(event)).rejects.toThrow(/no-such-place/);
  await until(() => publisher.ready() === true);
  expect(await publisher.publish(event)).toBe('confirmed');
});

test('wrong credentials are a clear state, without the password', async () => {
  await publisher.close();
  const url = new URL(broker.url);
  url.password = 'not-the-password';
  publisher = createPublisher({ url: url.toString(), spoolDir: join(dir.path, 'other'), log, metrics: new Registry() });
  await until(() => String(publisher.ready()).includes('AMQP_URL'));
  expect(String(publisher.ready())).not.toContain('not-the-password');
  expect(await outcomes(pulls(1))).toEqual({ spooled: 1 });
});
