import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { declareTopology, EXCHANGE, queueOf } from '@weir/bus';
import { createEvent, encodeEvent } from '@weir/events';
import { isolated, temporaryDirectory, until, type Isolated } from '@weir/testing';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import type { Found } from './found';
import { weir, weirDone } from './io.test-support';

let broker: Isolated;
let connection: ChannelModel;
let channel: Channel;
let env: Record<string, string>;

beforeEach(async () => {
  broker = await isolated.amqp();
  env = { AMQP_URL: broker.url };
  connection = await connect(broker.url);
  channel = await connection.createChannel();
});

afterEach(async () => {
  await connection.close();
  await broker.remove();
});

const PULL =
  '{"repository": "library/alpine", "tag": "3.20", "platform": "linux/arm64/v8", "user": {"email": "ann@Example.com"}}';

describe('weir publish', () => {
  test('is done when the broker has the event, in the queue of every worker', async () => {
    const { code, stdout, stderr } = await weirDone(
      ['publish', 'pull', '--data', PULL, '--id', 'p1', '--source', '/t', '--time', '2026-11-23T07:00:00+01:00'],
      { env },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      id: 'p1',
      source: '/t',
      type: 'io.weir.pull',
      time: '2026-11-23T06:00:00.000Z',
      status: 'confirmed',
    });
    for (const worker of ['redis', 'mongo']) {
      const message = await channel.get(queueOf(worker), { noAck: true });
      expect(message && JSON.parse(message.content.toString())).toMatchObject({
        id: 'p1',
        type: 'io.weir.pull',
        data: JSON.parse(PULL) as object,
      });
      expect(message && message.properties).toMatchObject({
        messageId: 'p1',
        deliveryMode: 2,
        contentType: 'application/cloudevents+json',
        type: 'io.weir.pull',
      });
    }
  });

  test('takes data from a file or the standard input, and any type', async () => {
    const dir = await temporaryDirectory();
    await writeFile(join(dir.path, 'd.json'), '{"cups": 2}');
    expect(
      (await weirDone(['publish', 'com.example.tea', '--data', `@${join(dir.path, 'd.json')}`], { env })).code,
    ).toBe(0);
    expect((await weirDone(['publish', 'view', '--data', '-'], { env, stdin: '{"resource": "file/1"}' })).code).toBe(0);
    const bodies = [
      await channel.get(queueOf('redis'), { noAck: true }),
      await channel.get(queueOf('redis'), { noAck: true }),
    ];
    expect(bodies.map((message) => message && (JSON.parse(message.content.toString()) as object))).toMatchObject([
      { type: 'com.example.tea', data: { cups: 2 }, source: '/cli' },
      { type: 'io.weir.view', data: { resource: 'file/1' } },
    ]);
    await dir.remove();
  });

  test.each([
    [['pull', '--data', '{"tag": 7}'], 1, /not a valid event: data\.repository .*; data\.tag /],
    [['pull', '--data', PULL, '--time', 'noon'], 1, /time must be RFC 3339/],
    [['pull', '--data', '{"a"'], 2, /--data is not JSON/],
    [['pull', '--data', '[]'], 2, /--data must be a JSON object/],
    [['pull', '--data', '@/does/not/exist'], 2, /ENOENT/],
  ])('refuses %j and publishes nothing', async (args, code, message) => {
    const done = await weirDone(['publish', ...args], { env });
    expect(done).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) as string });
    expect(done.stderr.trim()).not.toContain('\n');
  });

  test('says what the broker refuses', async () => {
    await channel.assertExchange(EXCHANGE, 'direct', { durable: true });
    expect(await weirDone(['publish', 'view', '--data', '{}'], { env })).toMatchObject({
      code: 69,
      stderr: expect.stringMatching(
        /did not take the event: the exchange weir.events was declared with another type/,
      ) as string,
    });
  });

  test('goes through the ingest API when asked, with its key', async () => {
    const seen: { url: string | undefined; key: string | undefined; type: string | undefined }[] = [];
    let status = 202;
    const ingest = createServer((request: IncomingMessage, response) => {
      seen.push({ url: request.url, key: request.headers.authorization, type: request.headers['content-type'] });
      request.resume().on('end', () => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(
          status === 202 ? '{"status":"spooled"}' : '{"title":"The key is not known","detail":"send another"}',
        );
      });
    }).listen(0, '127.0.0.1');
    await once(ingest, 'listening');
    const url = `http://127.0.0.1:${(ingest.address() as AddressInfo).port}`;
    const { code, stdout } = await weirDone(['publish', 'view', '--data', '{}', '--ingest', url, '--key', 'k'], {});
    expect({ code, status: (JSON.parse(stdout) as { status: string }).status }).toEqual({ code: 0, status: 'spooled' });
    expect(seen).toEqual([{ url: '/events', key: 'Bearer k', type: 'application/cloudevents+json' }]);
    status = 401;
    expect(await weirDone(['publish', 'view', '--data', '{}', '--ingest'], { env: { INGEST_URL: `${url}/events`, INGEST_KEY: 'x' } })).toMatchObject({
      code: 1, stderr: `weir: ${url} answered 401: send another\n`,
    }); // prettier-ignore
    status = 503;
    expect(await weirDone(['publish', 'view', '--data', '{}', '--ingest', url, '--key', 'k'], {})).toMatchObject({
      code: 69,
    });
    ingest.close().closeAllConnections();
    expect(await weirDone(['publish', 'view', '--data', '{}', '--ingest', url, '--key', 'k'], {})).toMatchObject({
      code: 69,
      stderr: expect.stringMatching(/no answer from .*: is ingest running\?/) as string,
    });
  });
});

describe('weir tail', () => {
  const following = (args: string[], terminal = false) => {
    const tail = weir(['tail', ...args], { env, terminal });
    return until(() => tail.stderr().includes('following')).then(() => tail);
  };
  const emit = (type: string, data: object, id: string) =>
    channel.publish(EXCHANGE, '', encodeEvent(createEvent(type, data, { source: '/t', id })));

  test('shows events as JSON lines in a pipe, of the wanted types only, and takes them from nobody', async () => {
    await declareTopology(channel);
    const tail = await following(['--type', 'pull', 'io.weir.build*', '--count', '2']);
    emit('io.weir.pull', { repository: 'a/b' }, '1');
    emit('io.weir.view', {}, '2');
    emit('io.weir.build.finished', { repository: 'a/b', outcome: 'failed' }, '3');
    emit('io.weir.pull', { repository: 'a/b' }, '4');
    expect(await tail.exit).toBe(0);
    expect(tail.stdout().trim().split('\n').map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['1', '3']); // prettier-ignore
    await until(async () => (await channel.checkQueue(queueOf('redis'))).messageCount === 4);
  });

  test('shows one readable line an event on a terminal, whatever is in it, and ends on Ctrl-C', async () => {
    await declareTopology(channel);
    const tail = await following([], true);
    emit('io.weir.pull', { ...(JSON.parse(PULL) as object), client: { name: 'docker', version: '27.1.1' } }, 'id-1');
    emit('io.weir.outage', { service: 'registry\u001b]0;owned\u0007\n', state: 'down' }, 'id-2');
    channel.publish(EXCHANGE, '', Buffer.from('no event'));
    await until(() => tail.stdout().includes('not an event'));
    tail.stop();
    expect(await tail.exit).toBe(0);
    const lines = tail
      .stdout()
      .replace(/\u001b\[\d+m/g, '')
      .trim()
      .split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}pull +library\/alpine:3\.20 {2}arm64 {2}example\.com {2}docker\/27\.1\.1 {2}\/t id-1$/,
    );
    expect(lines[1]).toContain('registry�]0;owned�� down');
    expect(lines[2]).toMatch(/^not an event: is not JSON/);
  });

  test('leaves no queue behind, and says what to do when there is no exchange', async () => {
    expect(await weirDone(['tail'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no exchange 'weir\.events'.*weir topology --declare/) as string,
    });
    await declareTopology(channel);
    const tail = await following([]);
    tail.stop();
    await tail.exit;
    const { code, stdout } = await weirDone(['topology'], { env });
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { ok: boolean }).ok).toBe(true);
  });
});

describe('weir topology', () => {
  const items = async (args: string[] = []) => {
    const { code, stdout } = await weirDone(['topology', ...args], { env });
    const found = (JSON.parse(stdout) as { items: Found[] }).items;
    return {
      code,
      states: Object.fromEntries(found.map(({ what, name, state }) => [`${what} ${name}`, state])),
      found,
    };
  };

  test('finds everything missing on an empty broker, makes nothing, and exits with 1', async () => {
    for (let look = 0; look < 2; look += 1) {
      const { code, states } = await items();
      expect(code).toBe(1);
      expect(new Set(Object.values(states))).toEqual(new Set(['missing']));
      expect(Object.keys(states)).toEqual(
        expect.arrayContaining([
          'exchange weir.events',
          'queue weir.redis',
          'queue weir.history',
          'binding weir.events → weir.mongo',
        ]),
      );
    }
  });

  test('makes what is missing when told to, also for a further worker', async () => {
    const { code, states } = await items(['--declare', '--worker', 'billing']);
    expect({ code, states: new Set(Object.values(states)) }).toEqual({ code: 0, states: new Set(['ok']) });
    expect(states).toHaveProperty(['queue weir.dead.billing'], 'ok');
    expect((await items()).code).toBe(0);
  });

  test('tells a queue that is missing from one that is different, and counts messages and consumers', async () => {
    await declareTopology(channel);
    await channel.deleteQueue(queueOf('influx'));
    await channel.deleteQueue(queueOf('mongo'));
    await channel.assertQueue(queueOf('mongo'), { durable: true });
    channel.publish(EXCHANGE, '', Buffer.from('1'));
    await channel.consume(queueOf('mongo'), () => {}, { noAck: true });
    await until(async () => (await channel.checkQueue(queueOf('redis'))).messageCount === 1);
    const { code, states, found } = await items();
    expect(code).toBe(1);
    expect(states).toMatchObject({
      'queue weir.redis': 'ok', 'queue weir.influx': 'missing', 'queue weir.mongo': 'different', 'exchange weir.events': 'ok',
      'binding weir.events → weir.influx': 'missing', 'binding weir.events → weir.redis': 'unseen',
    }); // prettier-ignore
    const queue = (name: string) => found.find((item) => item.what === 'queue' && item.name === name);
    expect(queue('weir.redis')).toMatchObject({ ready: 1, consumers: 0 });
    expect(queue('weir.mongo')).toMatchObject({
      consumers: 1,
      why: expect.stringMatching(/^inequivalent arg '[^']+' for queue 'weir\.mongo'/) as string,
    });
  });

  test('is a table on a terminal', async () => {
    const { code, stdout } = await weirDone(['topology'], { env, terminal: true });
    expect(code).toBe(1);
    expect(stdout).toMatch(/│ exchange │ weir\.events +│ \S*missing/);
  });
});
