import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createEvent, type WeirEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import { startRedis, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { createFlow } from '@weir/usage';
import type { Worker } from '@weir/worker';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Registry } from 'prom-client';
import { redisWorker } from './redis';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let redis: Redis;
let worker: Worker;

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startRedis({ dir: directory.path });
  redis = new Redis(server.url);
});
beforeEach(async () => {
  await redis.flushdb();
  worker = create({ REDIS_URL: server.url });
});
afterEach(() => worker.close());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await directory.remove();
});

function create(env: Record<string, string>, metrics = new Registry()): Worker {
  return redisWorker.create(readConfig(redisWorker.variables, env), { log: pino({ level: 'silent' }), metrics });
}

function pull(time = '2024-04-23T12:00:00.000Z'): WeirEvent {
  const data = { repository: 'library/alpine', platform: 'linux/arm/v7', user: { email: 'Someone@Seqera.IO' } };
  return createEvent('io.weir.pull', data, { source: 'test', time: new Date(time) });
}

const counters = async () => (await redis.keys('*')).filter((key) => !key.startsWith('weir:')).sort();
const today = () => redis.get('pulls/d/2024-04-23');

test('a pull touches exactly the seven keys of seed 000', async () => {
  await worker.connect();
  expect(await worker.write([pull()])).toEqual([]);
  expect(await counters()).toEqual([
    'pulls/a/arm',
    'pulls/a/arm/d/2024-04-23',
    'pulls/d/2024-04-23',
    'pulls/o/seqera.io',
    'pulls/o/seqera.io/a/arm',
    'pulls/o/seqera.io/a/arm/d/2024-04-23',
    'pulls/o/seqera.io/d/2024-04-23',
  ]);
});

test('an event that comes three times, in one batch and in others, is counted once; metrics tell', async () => {
  const metrics = new Registry();
  const counting = create({ REDIS_URL: server.url, REDIS_PREFIX: 'p:' }, metrics);
  await counting.connect();
  const event = pull();
  await counting.write([event, event, event]);
  await counting.write([pull(), event]);
  await counting.close();
  expect(await redis.get('p:pulls/d/2024-04-23')).toBe('2');
  const { values } = (await metrics.getSingleMetric('weir_usage_events_total')?.get()) ?? { values: [] };
  expect(values.map(({ labels, value }) => [labels['outcome'], value])).toEqual([['counted', 2], ['duplicate', 3]]);
}); // prettier-ignore

test('a batch that it is told of ahead is counted once, also where it was told before it was connected', async () => {
  const [first, second] = [[pull()], [pull(), pull()]];
  worker.ahead?.(first);
  await worker.connect();
  worker.ahead?.(second);
  expect(await worker.write(first)).toEqual([]);
  worker.ahead?.(second);
  expect(await worker.write(second)).toEqual([]);
  expect(await worker.write(second)).toEqual([]);
  expect(await today()).toBe('3');
});

test('what a statistic cannot count is refused with its reason; the rest of the batch is counted', async () => {
  await worker.connect();
  const bad = createEvent('io.weir.pull', { repository: 'a', user: { organization: '\udfff' } }, { source: 'test' });
  expect(await worker.write([pull(), bad, pull()])).toEqual([
    { event: bad, reason: 'cannot be counted: A name in a key must be well-formed Unicode.' },
  ]);
  expect(await today()).toBe('2');
});

test('a canary that came back and what is reported of outages are written down, for whoever asks for gaps', async () => {
  await worker.connect();
  const report = (state: string, minutesAgo: number) =>
    createEvent('io.weir.outage', { service: 'registry', state }, { source: 'test', time: new Date(now - minutesAgo * 60_000) }); // prettier-ignore
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const batch = [report('up', 20), report('down', 30), pull()];
  for (const write of [1, 2]) expect([write, await worker.write(batch)]).toEqual([write, []]);
  for (const minutesAgo of [10, 9, 5, 4, 3, 2, 1]) await worker.flowed?.(now - minutesAgo * 60_000);
  const flow = createFlow({ redis, prefix: '', now: () => now });
  expect(await flow.gaps(now - 3_600_000, now)).toEqual([
    { from: now - 30 * 60_000, to: now - 20 * 60_000, reason: 'outage', service: 'registry' },
    { from: now - 8 * 60_000, to: now - 5 * 60_000, reason: 'flow' },
  ]);
  expect(await today()).toBe('1');
});

test('a Redis that is gone when a canary comes back leaves the worker as it was', async () => {
  await worker.connect();
  await server.kill();
  await expect(worker.flowed?.(Date.now())).rejects.toThrow(/closed|ECONNREFUSED|ECONNRESET/);
  await server.start();
  await worker.flowed?.(Date.now());
  await worker.write([pull()]);
  expect([await today(), await redis.exists('weir:flow:since')]).toEqual(['1', 1]);
});

test('a process in another time zone counts on the UTC day of the event', async () => {
  const program = `
    const { redisWorker } = require('./redis');
    const { createEvent } = require('@weir/events');
    const worker = redisWorker.create({ REDIS_URL: process.env.REDIS_URL, REDIS_PREFIX: '', DEDUPE_DAYS: 32, UNIQUES_DAYS: 400, UNIQUES_NAMES: 9 },
      { log: require('pino')({ level: 'silent' }), metrics: new (require('prom-client').Registry)() });
    const pull = (time) => createEvent('io.weir.pull', { repository: 'a' }, { source: 'test', time: new Date(time) });
    (async () => {
      if (new Date(0).getTimezoneOffset() !== 480) throw new Error('TZ is not in force');
      await worker.connect();
      await worker.write([pull('2024-04-22T23:59:59.999Z'), pull('2024-04-23T00:00:00.000Z'), pull('2024-04-23T23:59:59.999Z')]);
      await worker.close();
    })();`;
  const source = join(__dirname, '../../../libs/testing/src/source.js');
  const child = spawn(process.execPath, ['--conditions=@weir/source', '--require', source, '--eval', program], {
    cwd: __dirname,
    env: { ...process.env, TZ: 'America/Los_Angeles', REDIS_URL: server.url },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await counters()).toEqual(['pulls/d/2024-04-22', 'pulls/d/2024-04-23']);
  expect(await redis.mget('pulls/d/2024-04-22', 'pulls/d/2024-04-23')).toEqual(['1', '2']);
});

test('a batch whose answer is lost on the way is tried again without counting twice', async () => {
  const proxy = await answerLosingProxy(server);
  const cut = create({ REDIS_URL: proxy.url });
  await cut.connect();
  const batch = [pull(), pull()];
  proxy.loseAnswers(true);
  await expect(cut.write(batch)).rejects.toThrow(/Redis at 127\.0\.0\.1:\d+: the connection was closed/);
  expect(await today()).toBe('2');
  proxy.loseAnswers(false);
  await cut.write(batch);
  expect(await today()).toBe('2');
  await cut.close();
  proxy.server.close();
});

test('a Redis that stops answering is given up on, and the batch is counted once when it answers again', async () => {
  await worker.connect();
  const batch = [pull()];
  server.suspend();
  await expect(worker.write(batch)).rejects.toThrow(/no answer within 5000 ms/);
  server.resume();
  await worker.write(batch);
  expect(await today()).toBe('1');
}, 30_000);

test('a Redis that is killed and comes back is connected to again', async () => {
  await worker.connect();
  await worker.write([pull()]);
  await server.kill();
  await expect(worker.write([pull()])).rejects.toThrow(/Redis at 127\.0\.0\.1:\d+: .*(closed|ECONNREFUSED|ECONNRESET)/);
  await expect(worker.write([pull()])).rejects.toThrow(/ECONNREFUSED/);
  await server.start();
  await worker.write([pull()]);
  expect(await today()).toBe('2');
});

test('a key of the wrong type stops the batch with its name, not the connection', async () => {
  await worker.connect();
  await redis.hset('pulls/d/2024-04-23', 'a', '1');
  const batch = [pull()];
  await expect(worker.write(batch)).rejects.toThrow(
    /Redis key pulls\/d\/2024-04-23 holds a hash, not a counter.*Rename or delete that key/,
  );
  await redis.del('pulls/d/2024-04-23');
  await worker.write(batch);
  expect(await today()).toBe('1');
});

test.each(['allkeys-lru', 'volatile-ttl'])(
  'a Redis that may evict by %s is refused, with what to do',
  async (policy) => {
    await redis.config('SET', 'maxmemory-policy', policy);
    await expect(worker.connect()).rejects.toThrow(
      new RegExp(`maxmemory-policy is ${policy}: .*CONFIG SET maxmemory-policy noeviction`),
    );
    await expect(worker.write([pull()])).rejects.toThrow(/maxmemory-policy/);
    expect(await redis.dbsize()).toBe(0);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await worker.connect();
    await worker.write([pull()]);
    expect(await today()).toBe('1');
  },
);

test('a wrong password is said clearly and not repeated', async () => {
  const url = new URL(server.url);
  url.password = 'open-sesame';
  const locked = create({ REDIS_URL: url.href });
  const message = await locked.connect().catch((error: Error) => error.message);
  expect(message).toMatch(/^Redis at 127\.0\.0\.1:\d+: the user or password in REDIS_URL is refused \(WRONGPASS/);
  expect(message).not.toContain('open-sesame');
  url.username = url.password = '';
  await expect(create({ REDIS_URL: url.href }).connect()).rejects.toThrow(/REDIS_URL is refused \((NOAUTH|WRONGPASS)/);
  await locked.close();
});

test('a server that takes connections and never speaks is given up on', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const waiting = create({ REDIS_URL: `redis://127.0.0.1:${(silent.address() as AddressInfo).port}` });
  await expect(waiting.connect()).rejects.toThrow(/no answer within 5000 ms/);
  await waiting.close();
  silent.close();
}, 30_000);

/** Stands between worker and Redis; can cut the connection at the moment at which Redis answers. */
async function answerLosingProxy(target: PrivateServer): Promise<{ server: Server; url: string; loseAnswers(on: boolean): void }> {
  let losing = false;
  const url = new URL(target.url);
  const port = Number(url.port);
  const proxy = createServer((client: Socket) => {
    const upstream = connect(port, url.hostname);
    client.pipe(upstream);
    upstream.on('data', (answer) => (losing ? client.destroy() : client.write(answer)));
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  url.port = String((proxy.address() as AddressInfo).port);
  return { server: proxy, url: url.href, loseAnswers: (on) => (losing = on) };
} // prettier-ignore
