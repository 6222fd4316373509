import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { startRabbitmq, temporaryDirectory, until, type PrivateRabbitmq } from '@weir/testing';
import pino from 'pino';
import { createAudit, HISTORY } from './index';

const log = pino({ level: 'silent' });
let directory: { path: string; remove(): Promise<void> };
let broker: PrivateRabbitmq;

beforeAll(async () => {
  directory = await temporaryDirectory();
  broker = await startRabbitmq({ dir: directory.path });
}, 60_000);
afterAll(async () => {
  await broker.stop();
  await directory.remove();
}, 60_000);

/** What the broker itself knows of them: a passive declare does not count the consumers of a stream. */
async function readers(): Promise<number> {
  const asked = `lists:sum([Consumers || [{name, {resource, _, queue, <<"${HISTORY}">>}}, {consumers, Consumers}] <-
    rabbit_amqqueue:info_all(<<"/">>, [name, consumers])]).`;
  return Number(await broker.evaluate(asked));
}

/** Class and method (AMQP 0-9-1). */
const CONSUME = Buffer.from([0, 60, 0, 20]);
const CHANNEL_CLOSE = Buffer.from([0, 20, 0, 40]);

/** A way to the broker that can hold back what is answered from the next `basic.consume` on, or end with a `channel.close`. */
async function openWay(url: string) {
  const { hostname, port } = new URL(url);
  const answers: Socket[] = [];
  let holding = false;
  let fragile = false;
  const server: Server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    client.on('data', (sent: Buffer) => void (holding && sent.includes(CONSUME) && client.cork()));
    client.on('data', (sent: Buffer) => void (fragile && sent.includes(CHANNEL_CLOSE) && client.destroy()));
    client.pipe(upstream).on('error', () => client.destroy());
    upstream.pipe(client).on('error', () => upstream.destroy());
    answers.push(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const here = new URL(url);
  here.port = String((server.address() as AddressInfo).port);
  return {
    url: here.toString(),
    hold: () => (holding = true),
    break: () => (fragile = true),
    release: () => answers.forEach((answer) => answer.uncork()),
    async close() {
      answers.forEach((answer) => answer.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}

test('a watch of the history that begins too late is ended', async () => {
  const way = await openWay(broker.url);
  const audit = createAudit({ url: way.url, worker: 'redis', log, found: () => {}, repaired: () => {} });
  try {
    await until(() => audit.state() === true);
    const inTime = await audit.watchHistory();
    expect(await readers()).toBe(1);
    await inTime?.end();
    await until(async () => (await readers()) === 0);

    way.hold();
    expect(await audit.watchHistory()).toBeUndefined();
    expect(await readers()).toBe(1);
    way.release();
    await until(async () => (await readers()) === 0);
  } finally {
    await audit.close();
    await way.close();
  }
}, 60_000);

test('a watch of the history ends though the connection is lost while its channel closes', async () => {
  const way = await openWay(broker.url);
  const audit = createAudit({ url: way.url, worker: 'redis', log, found: () => {}, repaired: () => {} });
  try {
    await until(() => audit.state() === true);
    const watch = await audit.watchHistory();
    way.break();
    await watch?.end();
    expect(watch).toBeDefined();
    await until(() => audit.state() !== true);
  } finally {
    await way.close();
    await audit.close();
  }
}, 30_000);
