import { connect, type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { CANARY, decodeEvent } from '@weir/events';
import { isolated, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { answerTo, createAnswering, createCanary, createSender, declareOn, queueOf, type Answer, type Canary, type Sender } from './index'; // prettier-ignore

const log = pino({ level: 'silent' });
const queue = queueOf('redis');
let place: Isolated;
let connection: ChannelModel;
let channel: Channel;
let sender: Sender;
let canary: Canary;
let returned: number[];
let lost: number[];

beforeAll(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createChannel();
}, 60_000);
beforeEach(async () => {
  returned = [];
  lost = [];
  sender = createSender({
    url: place.url,
    log,
    name: 'redis',
    prepare: declareOn,
    answered: (id) => canary.answered(id),
  });
  canary = createCanary({
    worker: 'redis',
    sender,
    returned: ({ sentAt }) => void returned.push(sentAt),
    lost: (sentAt) => void lost.push(...sentAt),
  });
  await until(() => sender.state() === true);
  await channel.purgeQueue(queue);
});
afterEach(() => sender.close());
afterAll(async () => {
  await connection.close();
  await place.remove();
});

/** Takes a canary from the queue, as a worker would; `to` is where it wants its answer. */
async function take(): Promise<{ to: Answer; message: ConsumeMessage }> {
  const found: ConsumeMessage[] = [];
  await until(async () => {
    const message = await channel.get(queue, { noAck: true });
    if (message) found.push(message as unknown as ConsumeMessage);
    return message;
  });
  const [message] = found as [ConsumeMessage];
  return { to: answerTo(message.properties) as Answer, message };
}

test('a canary goes through the fanout exchange as every event does, and its answer comes to its sender', async () => {
  const back = canary.fly(1, 30_000);
  await until(() => canary.out());
  const { to, message } = await take();
  const checked = decodeEvent(message.content);
  expect(checked.ok && checked.event).toMatchObject({ type: CANARY, data: { worker: 'redis' } });
  expect(message.properties).toMatchObject({ type: CANARY, deliveryMode: 2 });
  createAnswering(sender).answer(to);
  expect(await back).toBe(true);
  expect([returned.length, lost, canary.out()]).toEqual([1, [], false]);
});

test('of canaries sent one after the other any one vouches for all: another instance may hold the others', async () => {
  expect(await canary.fly(3, 0)).toBe(false);
  await take();
  createAnswering(sender).answer((await take()).to);
  await until(() => returned.length === 1);
  expect([lost, canary.out()]).toEqual([[], false]);
});

test('one that is overtaken after the topology was declared again is lost', async () => {
  await canary.fly(1, 0);
  await take();
  canary.declared();
  await canary.fly(1, 0);
  createAnswering(sender).answer((await take()).to);
  await until(() => returned.length === 1);
  expect(lost).toHaveLength(1);
  expect(lost[0]).toBeLessThanOrEqual(returned[0] as number);
});

test('one that comes back late, but before those that were sent after it, is not lost', async () => {
  await canary.fly(1, 0);
  const late = await take();
  canary.declared();
  await canary.fly(1, 0);
  const answering = createAnswering(sender);
  answering.answer(late.to);
  answering.answer((await take()).to);
  await until(() => returned.length === 2);
  expect(lost).toEqual([]);
});

test('an answer that cannot go out is kept until it can', async () => {
  let works = false;
  const flaky: Sender = { ...sender, send: (message) => (works ? sender.send(message) : Promise.reject(new Error('blocked'))) }; // prettier-ignore
  const answering = createAnswering(flaky);
  await canary.fly(1, 0);
  answering.answer((await take()).to);
  works = true;
  await until(() => (answering.again(), returned.length === 1));
});

test('nobody is answered but by direct reply', () => {
  expect(answerTo({ replyTo: 'weir.redis', correlationId: '1' })).toBeUndefined();
  expect(answerTo({ replyTo: 'amq.rabbitmq.reply-to', correlationId: '1' })).toBeUndefined();
  expect(answerTo({ replyTo: 'amq.rabbitmq.reply-to.x', correlationId: undefined })).toBeUndefined();
  expect(answerTo({ correlationId: '1' })).toBeUndefined();
});
