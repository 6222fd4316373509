import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { isOpen, processesOf } from './leftovers.test-support';
import { startRabbitmq } from './rabbitmq';
import type { PrivateRabbitmq } from './rabbitmq';
import { temporaryDirectory } from './temporary';
import { until, within } from './wait';

describe('a private RabbitMQ', () => {
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateRabbitmq;

  beforeAll(async () => {
    dir = await temporaryDirectory();
    server = await startRabbitmq({ dir: dir.path });
  });
  afterAll(async () => {
    await server.stop();
    await dir.remove();
  });

  it('has quorum queues and streams, and keeps a confirmed message through a crash', async () => {
    await withChannel(server.url, async (channel) => {
      await channel.assertQueue('quorum', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.assertQueue('stream', { durable: true, arguments: { 'x-queue-type': 'stream' } });
      channel.sendToQueue('quorum', Buffer.from('one'), { persistent: true });
      channel.sendToQueue('stream', Buffer.from('two'), { persistent: true });
      await channel.waitForConfirms();
    });

    await server.kill();
    expect(server.pids).toEqual([]);
    expect(processesOf(dir.path)).toEqual([]);
    await server.start();

    await withChannel(server.url, async (channel) => {
      const message = await channel.get('quorum', { noAck: true });
      expect(message && message.content.toString()).toBe('one');
    });
    // A stream elects its writer anew after the broker is up; until then it answers 404.
    await until('the stream did not come back', () => withChannel(server.url, expectFirstOfStream), {
      timeoutMs: 30_000,
    });
  });

  it('gives a test a virtual host of its own and takes it away again', async () => {
    const url = await server.addVhost('of-a-test');
    await withChannel(url, async (channel) => {
      await channel.assertQueue('quorum', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      expect((await channel.checkQueue('quorum')).messageCount).toBe(0);
    });
    await server.deleteVhost('of-a-test');
    await expect(connect(url)).rejects.toThrow(/ConnectionClose/);
  });

  it('says what the broker refused', async () => {
    await expect(server.evaluate('erlang:error(no_such_luck).')).rejects.toThrow(/no_such_luck/);
  });

  it('lets nobody in without its password', async () => {
    await expect(connect(server.url.replace(/:[^:@]+@/, ':wrong@'))).rejects.toThrow(/ACCESS.REFUSED/);
  });

  it('listens on loopback only, and leaves no process and no port when it is stopped', async () => {
    const { ports } = JSON.parse(readFileSync(join(dir.path, 'state.json'), 'utf8')) as {
      ports: Record<string, number>;
    };
    expect(Object.keys(ports)).toEqual(['amqp', 'distribution', 'epmd']);
    for (const port of Object.values(ports)) {
      expect(await isOpen(port)).toBe(true);
      expect(listenersOn(port).filter((address) => !isLoopback(address))).toEqual([]);
    }

    await server.stop();
    for (const port of Object.values(ports)) expect(await isOpen(port)).toBe(false);
    expect(processesOf(dir.path)).toEqual([]);
  });
});

type Channel = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>;

async function withChannel(url: string, body: (channel: Channel) => Promise<void>): Promise<void> {
  const connection = await connect(url);
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  try {
    await body(channel);
  } finally {
    await connection.close();
  }
}

async function expectFirstOfStream(channel: Channel): Promise<void> {
  await channel.prefetch(1);
  const first = new Promise((resolve, reject) => {
    const consumed = (message: { content: Buffer } | null) => resolve(message?.content.toString() ?? 'cancelled');
    channel.consume('stream', consumed, { arguments: { 'x-stream-offset': 'first' } }).catch(reject);
  });
  expect(await within(10_000, 'the first message of the stream', first)).toBe('two');
}

/** Local addresses in LISTEN (state 0A) on the port, as /proc/net/tcp and tcp6 have them: hexadecimal, host byte order. */
function listenersOn(port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((file) => readFileSync(file, 'utf8').trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hexPort}`))
    .map(([, local]) => local?.split(':')[0] ?? '');
}

function isLoopback(hexAddress: string): boolean {
  return hexAddress === '0100007F' || hexAddress === '00000000000000000000000001000000';
}
