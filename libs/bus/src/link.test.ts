import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { isolated, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { createConsumer, createSender, declareOn, keepConnected } from './index';

const log = pino({ level: 'silent' });
let place: Isolated;
let broker: Way;

/** A way to the broker that can be frozen: what is sent then arrives nowhere, and nobody is told. */
interface Way {
  url: string;
  /** How many come from our side. */
  connections(): number;
  freeze(): void;
  close(): Promise<void>;
}

async function openWay(url: string): Promise<Way> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let clients = 0;
  let frozen = false;
  const server: Server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    clients += 1;
    client.on('close', () => (clients -= 1));
    for (const [from, into] of [[client, upstream], [upstream, client]] as const) {
      from.on('data', (chunk) => void (frozen || into.write(chunk)));
      from.on('error', () => {});
      from.on('close', () => (sockets.delete(from), frozen || into.destroy()));
      sockets.add(from);
    }
  }); // prettier-ignore
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const here = new URL(url);
  here.port = String((server.address() as AddressInfo).port);
  return {
    url: here.toString(),
    connections: () => clients,
    freeze: () => (frozen = true),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

beforeAll(async () => {
  place = await isolated.amqp();
}, 60_000);
beforeEach(async () => {
  broker = await openWay(place.url);
});
afterEach(() => broker.close());
afterAll(() => place.remove());

const link = (setup = async () => {}) => keepConnected({ url: broker.url, name: 'link-test', log, setup });

// The time limits of these tests are part of what they say: well below the connection's own of 10 s and more.

test('a link that is closed while it connects closes', async () => {
  for (let n = 0; n < 5; n += 1) {
    const closed = link();
    await new Promise((resolve) => setTimeout(resolve, 3 * n)); // at another moment of the handshake each time
    await closed.close();
    expect(closed.state()).not.toBe(true);
  }
  await until(() => broker.connections() === 0);
}, 5000);

test('a link to somebody who takes connections and says nothing closes at once', async () => {
  broker.freeze();
  const connecting = link();
  await until(() => broker.connections() > 0);
  await connecting.close();
}, 5000);

test('a link whose peer has fallen silent closes, and leaves no socket behind', async () => {
  const connected = link();
  await until(() => connected.state() === true);
  broker.freeze();
  await connected.close();
  await until(() => broker.connections() === 0);
}, 9000);

test('a link that is reset lets go of a peer that has fallen silent', async () => {
  const connected = link();
  await until(() => connected.state() === true);
  broker.freeze();
  connected.reset('no answer');
  expect(connected.state()).toBe(true);
  await until(() => connected.state() !== true);
  await connected.close();
  await until(() => broker.connections() === 0);
}, 9000);

test('a set-up that hangs does not keep the link from closing', async () => {
  let begun = false;
  const hanging = link(() => {
    begun = true;
    return new Promise(() => {});
  });
  await until(() => begun);
  await hanging.close();
}, 5000);

test('a consumer and a sender whose broker has fallen silent close', async () => {
  const consumer = createConsumer({ url: broker.url, worker: 'redis', log, maxEvents: 10, maxAgeMs: 5, prepare: declareOn, read: (message) => message, handle: async () => {} }); // prettier-ignore
  const sender = createSender({ url: broker.url, log, name: 'redis', prepare: declareOn });
  await until(() => consumer.state() === true);
  broker.freeze();
  await Promise.all([consumer.close(), sender.close()]);
}, 9000);

test('of several brokers it takes one that it can reach, and says of each why it cannot, without credentials', async () => {
  const nobody = (port: number) => `amqp://me:hunter2@127.0.0.1:${port}${new URL(broker.url).pathname}`;
  const lost = keepConnected({ url: `${nobody(2)}, ${nobody(1)}`, name: 'link-test', log, setup: async () => {} });
  await until(() => String(lost.state()).includes('ECONNREFUSED'));
  expect(lost.state()).toMatch(/^127\.0\.0\.1:1: .*ECONNREFUSED.*; 127\.0\.0\.1:2: .*ECONNREFUSED/);
  expect(lost.state()).not.toContain('hunter2');
  await lost.close();
  const urls = [nobody(1), broker.url, nobody(2)].join(',');
  const found = keepConnected({ url: urls, name: 'link-test', log, setup: async () => {} });
  await until(() => found.state() === true);
  await found.close();
}, 9000);
