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
