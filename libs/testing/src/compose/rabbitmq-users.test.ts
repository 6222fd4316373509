import { readFileSync } from 'node:fs';
import {
  createPublisher,
  createSender,
  deadQueueOf,
  declareOn,
  declareTopology,
  EXCHANGE,
  HISTORY,
  park,
  queueOf,
  topology,
  UNROUTED,
  WORKERS,
} from '@weir/bus';
import { createEvent } from '@weir/events';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import pino from 'pino';
import { Registry } from 'prom-client';
import { temporaryDirectory } from '../servers/temporary';
import type { PrivateRabbitmq } from '../servers/rabbitmq';
import { until } from '../until';
import { deploy, environmentOf, startStackRabbitmq } from './stack.test-support';

// S44 of the reliability reference: users and permissions per app. What an app needs, and what it must not be able to.

const log = pino({ level: 'silent' });
const publishers = ['gateway', 'ingest', 'build-service'];
const workers = WORKERS.map((name) => [`${name}-worker`, name] as const);
const everybody = [...publishers, ...workers.map(([user]) => user)];

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: PrivateRabbitmq;
let urlOf: (user: string) => string;
const open = new Map<string, Promise<ChannelModel>>();

beforeAll(async () => {
  dir = await temporaryDirectory();
  ({ broker, urlOf } = await startStackRabbitmq(dir.path));
}, 180_000);
afterEach(async () => {
  for (const connecting of open.values()) await connecting.then((made) => made.close()).catch(() => {});
  open.clear();
});
afterAll(async () => {
  await broker.stop();
  await dir.remove();
});

/** A channel on the one connection of a user. */
async function channelOf(user: string): Promise<ConfirmChannel> {
  const connecting = open.get(user) ?? connect(urlOf(user));
  if (!open.has(user)) void connecting.then((made) => made.on('error', () => {}));
  open.set(user, connecting);
  const channel = await (await connecting).createConfirmChannel();
  channel.on('error', () => {});
  return channel;
}

/** Does something on a channel of its own, which a refusal closes. */
async function as(user: string, work: (channel: ConfirmChannel) => Promise<unknown>): Promise<unknown> {
  const channel = await channelOf(user);
  const closed = new Promise((_resolve, reject) => channel.on('error', reject));
  return Promise.race([work(channel), closed]);
}
const refused = /ACCESS.REFUSED/;

async function readsNothing(user: string, queues: readonly string[]): Promise<void> {
  await Promise.all(
    queues.flatMap((queue) => [
      expect(as(user, (channel) => channel.get(queue))).rejects.toThrow(refused),
      expect(as(user, (channel) => channel.consume(queue, () => {}))).rejects.toThrow(refused),
      expect(as(user, (channel) => channel.purgeQueue(queue))).rejects.toThrow(refused),
    ]),
  );
}

/** Published with a confirm: refusals come as the end of the channel. */
const publish = (exchange: string, key: string) => (channel: ConfirmChannel) =>
  new Promise((resolve) => void channel.publish(exchange, key, Buffer.from('{}'), {}, resolve));

test('the definitions hold the topology as the apps declare it: `npm run docs` writes them', () => {
  const definitions = JSON.parse(readFileSync(deploy('rabbitmq-definitions.json'), 'utf8')) as {
    queues: { name: string; durable: boolean; arguments: object }[];
    exchanges: { name: string; arguments: Record<string, unknown> }[];
    bindings: { source: string; destination: string }[];
  };
  const { queues, exchanges } = topology();
  expect(definitions.queues.map(({ name, arguments: given }) => [name, given])).toEqual(
    queues.map(({ name, options }) => [name, options.arguments]),
  );
  expect(definitions.exchanges.map(({ name, arguments: given }) => [name, given['alternate-exchange']])).toEqual(
    exchanges.map(({ name, options }) => [name, options.alternateExchange]),
  );
  expect(definitions.bindings.map(({ source, destination }) => [destination, source])).toEqual(
    queues.flatMap(({ name, boundTo }) => (boundTo ? [[name, boundTo]] : [])),
  );
});

test('there are the users of the apps and nobody else: no guest, no administrator', async () => {
  const usersWith = async (condition: string) => {
    const names = `[binary_to_list(proplists:get_value(user, U)) || U <- rabbit_auth_backend_internal:list_users(), ${condition}]`;
    return (await broker.evaluate(`lists:flatten(lists:join(",", lists:sort(${names}))).`))
      .replaceAll('"', '')
      .split(',');
  };
  expect(await usersWith('[] =:= proplists:get_value(tags, U)')).toEqual([...everybody, 'operator'].sort());
  expect(await usersWith('[] =/= proplists:get_value(tags, U)')).toEqual([new URL(broker.url).username]); // the test's
  const guest = new URL(broker.url);
  guest.username = guest.password = 'guest';
  await expect(connect(guest.href)).rejects.toThrow(refused);
});

test('every app of docker-compose.yml logs in as itself', () => {
  const services = [...everybody, 'cli'];
  for (const service of services) {
    const user = service === 'cli' ? 'operator' : service;
    const variable = `RABBITMQ_${user.toUpperCase().replaceAll('-', '_')}_PASSWORD`;
    expect(environmentOf(service)['AMQP_URL']).toMatch(new RegExp(`^amqp://${user}:\\$\\{${variable}:\\?`));
  }
});

test.each([...everybody, 'operator'])('%s declares the whole topology, again and again', async (user) => {
  const channel = await channelOf(user);
  await declareTopology(channel);
  await declareTopology(channel);
});

test.each(publishers)('%s publishes events, and every queue gets them', async (user) => {
  const spool = await temporaryDirectory();
  const publisher = createPublisher({
    url: urlOf(user),
    spoolDir: spool.path,
    log,
    metrics: new Registry(),
    name: user,
  });
  await until(() => publisher.ready() === true);
  const before = await (await channelOf('operator')).checkQueue(queueOf('redis'));
  expect(await publisher.publish(createEvent('io.weir.view', {}, { source: user }))).toBe('confirmed');
  await publisher.close();
  await spool.remove();
  const operator = await channelOf('operator');
  await until(async () => (await operator.checkQueue(queueOf('redis'))).messageCount === before.messageCount + 1);
});

describe.each(publishers)('%s', (user) => {
  test('reads nothing of any queue', async () => {
    await readsNothing(user, [...WORKERS.map(queueOf), ...WORKERS.map(deadQueueOf), HISTORY]);
  });

  test('puts nothing into a queue past the exchange', async () => {
    await expect(as(user, publish('', queueOf('redis')))).rejects.toThrow(refused);
    await expect(as(user, publish('amq.fanout', ''))).rejects.toThrow(refused);
  });
});

describe.each(workers)('%s', (user, name) => {
  test('reads its own queue and parks what it cannot take', async () => {
    await as(user, (channel) => channel.consume(queueOf(name), () => {}));
    const sender = createSender({ url: urlOf(user), log, name, prepare: (made) => declareOn(made) });
    const letter = { worker: name, reason: 'invalid event', error: 'a test' };
    await until(async () => (await park(sender, { body: Buffer.from('x') }, letter), true));
    await sender.close();
  });

  test('asks itself whether the flow works: an event of its own, an answer, and the history', async () => {
    const channel = await channelOf(user);
    const answered = new Promise((resolve) => {
      void channel.consume('amq.rabbitmq.reply-to', (message) => resolve(message?.content.toString()), { noAck: true });
    });
    const asker = await channelOf(user);
    await asker.consume(queueOf(name), (message) => {
      const replyTo = message?.properties.replyTo as string | undefined;
      if (message) asker.ack(message);
      if (replyTo) asker.publish('', replyTo, Buffer.from('here'));
    });
    channel.publish(EXCHANGE, '', Buffer.from('{}'), { replyTo: 'amq.rabbitmq.reply-to' });
    expect(await answered).toBe('here');
    await channel.prefetch(1);
    await channel.consume(HISTORY, () => {}, { arguments: { 'x-stream-offset': 'next' } });
  });

  test('reads nothing of any other queue, not even its dead letters', async () => {
    const others = WORKERS.filter((other) => other !== name);
    await readsNothing(user, [...others.map(queueOf), ...WORKERS.map(deadQueueOf)]);
  });

  test('makes its own queue again when somebody has deleted it', async () => {
    await (await channelOf('operator')).deleteQueue(queueOf(name));
    const channel = await channelOf(user);
    await declareTopology(channel);
    await channel.checkQueue(queueOf(name));
  });
});

describe('nobody', () => {
  test.each(everybody)('makes anything under another name: %s', async (user) => {
    await expect(as(user, (channel) => channel.assertQueue('other'))).rejects.toThrow(refused);
    await expect(as(user, (channel) => channel.assertExchange('other', 'fanout'))).rejects.toThrow(refused);
    await expect(as(user, (channel) => channel.bindQueue(UNROUTED, 'amq.topic', '#'))).rejects.toThrow(refused);
  });

  test('reaches another virtual host', async () => {
    const other = new URL(await broker.addVhost('other'));
    for (const user of [...everybody, 'operator']) {
      const url = new URL(urlOf(user));
      url.pathname = other.pathname;
      await expect(connect(url.href)).rejects.toThrow('Expected ConnectionOpenOk; got <ConnectionClose');
    }
    await broker.deleteVhost('other');
  });
});

test('the operator listens in, looks into dead letters and history, and declares', async () => {
  const channel = await channelOf('operator');
  const { queue } = await channel.assertQueue('', { exclusive: true, durable: false });
  await channel.bindQueue(queue, EXCHANGE, '');
  await channel.consume(queue, () => {});
  for (const name of WORKERS) {
    await channel.get(`weir.dead.${name}`);
    await publish('', `weir.dead.${name}`)(channel);
  }
});
