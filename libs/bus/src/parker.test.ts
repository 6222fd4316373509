import { connect, type Channel, type ChannelModel } from 'amqplib';
import { isolated, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { createSender, deadQueueOf, declareOn, park, type Sender } from './index';

const queue = deadQueueOf('redis');
const letter = { worker: 'redis', reason: 'invalid event', error: 'is not JSON' };
let place: Isolated;
let connection: ChannelModel;
let channel: Channel;
let sender: Sender;

const parked = (n: number) =>
  until(() => park(sender, { body: Buffer.from(`event ${n}`), messageId: String(n) }, letter).then(() => true));

async function take(): Promise<string[]> {
  const bodies: string[] = [];
  for (let found = await channel.get(queue, { noAck: true }); found; found = await channel.get(queue, { noAck: true }))
    bodies.push(found.content.toString());
  return bodies;
}

beforeAll(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createChannel();
  sender = createSender({ url: place.url, log: pino({ level: 'silent' }), name: 'redis', prepare: declareOn });
  await until(() => sender.state() === true);
}, 60_000);
afterAll(async () => {
  await sender.close();
  await connection.close();
  await place.remove();
});

test('a dead letter rests in the queue of its worker', async () => {
  await parked(1);
  expect(await take()).toEqual(['event 1']);
});

test('a dead letter whose queue somebody has deleted is not lost: the queue is made again', async () => {
  await channel.deleteQueue(queue);
  await parked(2);
  expect(await take()).toEqual(['event 2']);
});

test('a letter that is parked again knows how often it was replayed, and how it was given up before', async () => {
  const tries = [{ reason: 'refused by the store', error: 'too old', time: '2026-11-01T00:00:00.000Z' }];
  const headers = { 'weir-replays': 2, 'weir-tries': tries, 'weir-reason': 'of last time', 'x-other': 'a' };
  await until(() => park(sender, { body: Buffer.from('again'), headers }, letter).then(() => true));
  const found = await channel.get(queue, { noAck: true });
  const kept = (found && (found.properties.headers as Record<string, unknown>)) || {};
  expect(kept).toEqual({
    'weir-worker': 'redis',
    'weir-reason': 'invalid event',
    'weir-error': 'is not JSON',
    'weir-time': expect.stringMatching(/^\d{4}-/) as string,
    'weir-replays': 2,
    'weir-tries': tries,
    'x-delivery-count': 0, // the broker's own, and new
  });
});

test('what somebody has forged there is cut to what a replay would have written', async () => {
  const long = 'x'.repeat(5000);
  const headers = { 'weir-replays': 'often', 'weir-tries': [1, null, ...Array.from({ length: 11 }, () => ({ reason: long, error: long, time: 3, more: long }))] }; // prettier-ignore
  await until(() => park(sender, { body: Buffer.from('forged'), headers }, letter).then(() => true));
  const found = await channel.get(queue, { noAck: true });
  const kept = (found && (found.properties.headers as Record<string, unknown>)) || {};
  const cut = { reason: 'x'.repeat(200), error: 'x'.repeat(2000), time: '' };
  expect(kept['weir-tries']).toEqual(Array.from({ length: 10 }, () => cut));
  expect(kept).not.toHaveProperty('weir-replays');
});
