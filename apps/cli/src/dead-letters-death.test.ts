import { createServer, connect as connectTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { deadQueueOf, declareTopology, queueOf } from '@weir/bus';
import { isolated, until, type Isolated } from '@weir/testing';
import { connect, type ChannelModel, type ConfirmChannel, type Message } from 'amqplib';
import { withBroker } from './broker';
import { createSender } from './dead-letters/sender';
import { weirDone } from './io.test-support';

/**
 * What if the process dies here? To the broker a process that dies is one whose connections end. A proxy ends all of
 * them at the first, second, third … piece that goes either way, until a run gets through: so at every await there is.
 */
let broker: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;

beforeAll(async () => {
  broker = await isolated.amqp();
  connection = await connect(broker.url);
  channel = await connection.createConfirmChannel();
  await declareTopology(channel);
});
afterAll(async () => {
  await connection.close();
  await broker.remove();
});

const [dead, live] = [deadQueueOf('redis'), queueOf('redis')];
const MEANT = ['m0', 'm1', 'm2', 'm3'];
const OTHERS = ['k0', 'k1', 'k2'];

/** What is in a queue now, and whatever anybody holds comes back. */
async function take(queue: string): Promise<string[]> {
  const ids: string[] = [];
  for (let next = await channel.get(queue, { noAck: true }); next; next = await channel.get(queue, { noAck: true }))
    ids.push(String(next.properties.messageId));
  return ids;
}

async function park(): Promise<void> {
  for (const id of ['k0', 'm0', 'm1', 'k1', 'm2', 'm3', 'k2']) {
    const headers = { 'weir-worker': 'redis', 'weir-reason': id.startsWith('m') ? 'meant' : 'other' };
    channel.sendToQueue(dead, Buffer.from('{}'), { persistent: true, messageId: id, headers });
  }
  await channel.waitForConfirms();
  await until(async () => (await channel.checkQueue(dead)).messageCount === 7);
}

/** Everything that was out has come back: as many letters are to be seen as the queue has in all. */
async function settled(atLeast: number): Promise<void> {
  let [before, same] = [-1, 0];
  await until(async () => {
    const { messageCount, consumerCount } = await channel.checkQueue(dead);
    same = messageCount === before && consumerCount === 0 && messageCount >= atLeast ? same + 1 : 0;
    before = messageCount;
    return same >= 2;
  });
}

/** Ends every connection through it, now and later, when the piece with this number has come. */
async function mortal(piece: number): Promise<{ url: string; died: boolean; close(): void }> {
  const { hostname, port } = new URL(broker.url);
  const sockets = new Set<Socket>();
  const life = { died: false };
  let pieces = 0;
  const pass = (from: Socket, to: Socket) =>
    from.on('data', (data: Buffer) => {
      pieces += 1;
      if (pieces < piece) return void to.write(data);
      life.died = true;
      // A piece that was on its way may have arrived or not: every other one does.
      if (pieces % 2 === 0) to.write(data);
      for (const socket of sockets) socket.end();
      server.close();
    });
  const server: Server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => (client.destroy(), upstream.destroy()));
    }
    pass(client, upstream);
    pass(upstream, client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(broker.url);
  url.port = String((server.address() as AddressInfo).port);
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return Object.assign(life, { url: url.href, close });
}

test('a letter that the broker does not confirm in time is not taken for sent', async () => {
  const { hostname, port } = new URL(broker.url);
  let silent = false;
  const server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    client.on('data', (data: Buffer) => upstream.write(data)).on('close', () => upstream.destroy());
    upstream.on('data', (data: Buffer) => !silent && client.write(data));
    for (const socket of [client, upstream]) socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(broker.url);
  url.port = String((server.address() as AddressInfo).port);
  await withBroker(url.href, async (publishing) => {
    const sender = await createSender(publishing, { timeoutMs: 300 });
    silent = true;
    const message = { content: Buffer.from('{}'), properties: {} } as Message;
    const { done } = await sender.send({ exchange: '', routingKey: live }, message, {});
    expect(await done).toBe(false);
    expect(sender.failure()).toBe('the broker does not confirm');
    expect(await (await sender.send({ exchange: '', routingKey: live }, message, {})).done).toBe(false);
  });
  server.close();
  await take(live);
});

test.each(['replay', 'discard'] as const)(
  '%s loses nothing wherever it dies',
  async (action) => {
    let deaths = 0;
    for (let piece = 8; ; piece += 1) {
      await park();
      const proxy = await mortal(piece);
      const args = ['dead-letters', action, '--worker', 'redis', '--reason', 'meant', '--yes'];
      const { code, stdout } = await weirDone(args, { env: { AMQP_URL: proxy.url } });
      proxy.close();
      await settled(OTHERS.length);
      const [left, sent] = [await take(dead), await take(live)];
      // Exactly what does not match, in its order, and once.
      expect(left.filter((id) => OTHERS.includes(id)).sort()).toEqual(OTHERS);
      const written = stdout.split('\n').filter(Boolean).map((line) => (JSON.parse(line) as { id: string }).id); // prettier-ignore
      const kept = action === 'replay' ? sent : written;
      // A letter that is gone was sent, or written out, before; one that was may be still there: then it is done again.
      for (const id of MEANT) expect(left.includes(id) || kept.includes(id)).toBe(true);
      for (const id of [...left, ...sent]) expect([...MEANT, ...OTHERS]).toContain(id);
      expect(new Set(left).size).toBe(left.length);
      expect(new Set(sent).size).toBe(sent.length);
      // Done means done; whatever else is said with another code.
      expect(code === 0 ? left : OTHERS).toEqual(OTHERS);
      expect([0, 69]).toContain(code);
      if (!proxy.died) {
        expect(code).toBe(0);
        break;
      }
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(15);
  },
  240_000,
);
