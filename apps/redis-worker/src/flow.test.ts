import { createPublisher, type PublisherOptions } from '@weir/bus';
import { createEvent } from '@weir/events';
import { createHealth, readConfig } from '@weir/service';
import { isolated, startRedis, temporaryDirectory, until, type Isolated, type PrivateServer } from '@weir/testing';
import { createFlow } from '@weir/usage';
import { startWorker } from '@weir/worker';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Registry } from 'prom-client';
import { redisWorker } from './redis';

/** The whole way of what is told of gaps: publisher, spool, broker, worker, Redis, and who reads there. */
const log = pino({ level: 'silent' });
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let broker: Isolated;
let redis: Redis;

beforeAll(async () => {
  directory = await temporaryDirectory();
  [server, broker] = await Promise.all([startRedis({ dir: directory.path }), isolated.amqp()]);
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await Promise.all([server.stop(), broker.remove()]);
  await directory.remove();
});

function start(): { stop(): Promise<void> } {
  const aborter = new AbortController();
  const releases: (() => unknown)[] = [];
  const config = readConfig(redisWorker.variables, { REDIS_URL: server.url });
  const context = { log, metrics: new Registry(), health: createHealth(), signal: aborter.signal };
  const onStop = (_: string, release: () => unknown) => void releases.unshift(release);
  startWorker(redisWorker, { ...config, AMQP_URL: broker.url }, { ...context, onStop }, { watchIntervalMs: 300 });
  return {
    async stop() {
      aborter.abort();
      for (const release of releases) await release();
    },
  };
}

test('a worker that runs writes down the minute, and what came through a spool is an emergency', async () => {
  const began = Date.now();
  const worker = start();
  const flow = createFlow({ redis, prefix: '' });
  await until(async () => (await redis.get('weir:flow:since')) !== null);
  const minute = Number(await redis.get('weir:flow:since'));
  expect(minute).toBeGreaterThanOrEqual(Math.floor(began / 60_000));
  const day = new Date(minute * 60_000).toISOString().slice(0, 10);
  expect(await redis.getbit(`weir:flow:${day}`, minute % 1440)).toBe(1);
  expect(await flow.gaps(0, Date.now())).toEqual([]);

  const publishers: PublisherOptions = {
    url: 'amqp://127.0.0.1:1', spoolDir: `${directory.path}/spool`, log, metrics: new Registry(), source: 'weir/ingest', emergencyMs: 0,
  }; // prettier-ignore
  const cutOff = createPublisher(publishers);
  const pulls = ['one', 'two'].map((repository) => createEvent('io.weir.pull', { repository }, { source: 'test' }));
  const spooling = Date.now();
  for (const outcome of await cutOff.publishAll(pulls)) expect(outcome).toMatchObject({ value: 'spooled' });
  await cutOff.close();
  const back = createPublisher({ ...publishers, url: broker.url, metrics: new Registry() });
  await until(async () => (await flow.gaps(0, Date.now())).length > 0 && (await redis.zcard('weir:outages')) === 2);
  await back.close();
  const [gap, ...none] = await flow.gaps(0, Date.now());
  expect([gap?.reason, gap?.service, none]).toEqual(['emergency', 'weir/ingest', []]);
  expect(gap?.from).toBeGreaterThanOrEqual(spooling);
  expect(gap?.to).toBeLessThanOrEqual(Date.now());
  const today = pulls[0]?.time.slice(0, 10) ?? '';
  expect(await redis.get(`pulls/d/${today}`)).toBe('2');
  await worker.stop();
});

test('reports are kept once, though their batch is tried again while the counters are held', async () => {
  const context = { log, metrics: new Registry() };
  const worker = redisWorker.create(readConfig(redisWorker.variables, { REDIS_URL: server.url, REDIS_PREFIX: 'held:' }), context); // prettier-ignore
  await worker.connect();
  const time = new Date(Date.now() - 3_600_000);
  const batch = [createEvent('io.weir.outage', { service: 'registry', state: 'down' }, { source: 'test', time })];
  await redis.set('held:weir:hold', 'x');
  const pull = createEvent('io.weir.pull', { repository: 'a' }, { source: 'test' });
  for (const attempt of [1, 2])
    await expect(worker.write([...batch, pull]).catch(({ name }: Error) => [attempt, name])).resolves.toEqual([attempt, 'HeldError']); // prettier-ignore
  await redis.del('held:weir:hold');
  expect(await worker.write([...batch, pull])).toEqual([]);
  expect(await redis.zcard('held:weir:outages')).toBe(1);
  await worker.close();
});
