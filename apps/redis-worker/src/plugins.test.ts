import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import { isolated, temporaryDirectory, type Isolated } from '@weir/testing';
import type { Worker } from '@weir/worker';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Registry } from 'prom-client';
import { redisWorker } from './redis';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let store: Isolated;
let redis: Redis;
let metrics: Registry;
const workers: Worker[] = [];

beforeEach(async () => {
  directory = await temporaryDirectory();
  store = await isolated.redis();
  redis = new Redis(store.url);
  metrics = new Registry();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  redis.disconnect();
  await store.remove();
  await directory.remove();
});

async function start(env: Record<string, string> = {}): Promise<Worker> {
  const config = readConfig(redisWorker.variables, { REDIS_URL: store.url, ...env });
  const worker = redisWorker.create(config, { log: pino({ level: 'silent' }), metrics: env['STATISTICS_DIR'] ? metrics : new Registry() }); // prettier-ignore
  workers.push(worker);
  await worker.connect();
  return worker;
}

const TOUCHY = `module.exports = {
  name: 'touchy', summary: 'S.', description: 'D.', measures: { pulls: { summary: 'P.' } }, dimensions: {}, groups: [],
  increments({ data }) {
    if (data.repository === 'bad') throw new Error('not this one');
    return [{ measures: { pulls: data.repository === 'half' ? 0.5 : 1 }, dimensions: {} }];
  },
};`;
const day = new Date().toISOString().slice(0, 10);
const pull = (repository: string) => createEvent('io.weir.pull', { repository }, { source: 'test', time: new Date(`${day}T00:00:00Z`) }); // prettier-ignore
const touchy = () => redis.zscore(`weir:cube:touchy:pulls::${day}`, '');

test('a plug-in that throws, or counts by half, does not count that event; everything else does', async () => {
  await writeFile(join(directory.path, 'touchy.js'), TOUCHY);
  const worker = await start({ STATISTICS_DIR: directory.path });
  expect(await worker.write([pull('a'), pull('bad'), pull('half'), pull('b')])).toEqual([]);
  expect(await touchy()).toBe('2');
  expect(await redis.get(`pulls/d/${day}`)).toBe('4');
  expect(await redis.zscore(`weir:cube:pulls:pulls::${day}`, '')).toBe('4');
  expect(await metrics.metrics()).toContain('weir_statistic_failures_total{statistic="touchy"} 2');
});

test('a worker that does not know a statistic takes it off the list before it counts, and both count on', async () => {
  await writeFile(join(directory.path, 'touchy.js'), TOUCHY);
  const knowing = await start({ STATISTICS_DIR: directory.path });
  await knowing.write([pull('a')]);
  const other = await start();
  await other.write([pull('a')]);
  await knowing.write([pull('a')]);
  await other.write([pull('a')]);
  expect(await touchy()).toBe('1');
  expect(await redis.get(`pulls/d/${day}`)).toBe('4');
  expect(await redis.zscore(`weir:cube:pulls:pulls::${day}`, '')).toBe('4');
  expect(await redis.get('weir:live')).not.toContain('touchy');
  expect(await metrics.metrics()).toContain('weir_statistic_filling{statistic="touchy"} 1');
});
