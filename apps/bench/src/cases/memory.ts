import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { queueOf, WORKERS } from '@weir/bus';
import { freePort, type App } from '@weir/testing';
import { connect, type Channel } from 'amqplib';
import { Redis } from 'ioredis';
import type { Bench, Case } from '../case';
import { pullInOrder } from '../drain';
import { PULL_DAYS } from '../events';
import { growthOf, measured } from '../measure';
import { alone, atMost, type Row } from '../row';

const EVENTS = 1_000_000;
const POSTED_AT_ONCE = 1000;
const CLIENTS = 4;
const KEY = 'bench';
const SAMPLE_MS = 500;
/** For what a worker has in its hand when its queue is empty. */
const LAST_BATCH_MS = 2_000;
const LIMIT_MB = 150;
/** What memory may grow by from the second quarter of the run to the last and still be called flat, percent. */
const FLAT_PERCENT = 10;

/** Resident memory of the apps that every event goes through, over a million events: POST /events to all stores. */
export const memory: Case = {
  name: 'memory',
  async run(bench) {
    const { apps, amqp, url, redis } = await startApps(bench);
    const watch = watchMemory(apps);
    await post(url, bench.progress);
    await untilEmpty(amqp, bench.progress);
    await pause(LAST_BATCH_MS);
    const sizes = watch.end();
    const counted = (await redis.mget(PULL_DAYS)).reduce((sum, count) => sum + Number(count ?? 0), 0);
    return apps.flatMap((app) => rowsOf(app.name, sizes.get(app) ?? [], counted === EVENTS));
  },
};

async function startApps(bench: Bench): Promise<{ apps: App[]; amqp: string; url: string; redis: Redis }> {
  const { servers, dir } = bench;
  const [rabbitmq, redis, influxdb, mongodb] = await Promise.all([
    servers.rabbitmq(),
    servers.redis(),
    servers.influxdb(),
    servers.mongodb(),
  ]);
  const AMQP_URL = await rabbitmq.addVhost('memory');
  bench.onEnd(() => rabbitmq.deleteVhost('memory'));
  const client = new Redis(redis.url);
  bench.onEnd(() => client.disconnect());
  await client.flushall();
  const port = await freePort();
  const apps = await Promise.all([
    bench.app('ingest', {
      AMQP_URL,
      INGEST_PORT: String(port),
      INGEST_KEYS: `bench:${createHash('sha256').update(KEY).digest('hex')}`,
      SPOOL_DIR: join(dir, 'spool'),
    }),
    bench.app('redis-worker', { AMQP_URL, REDIS_URL: redis.url }),
    bench.app('influx-worker', { AMQP_URL, INFLUX_URL: influxdb.url, INFLUX_DATABASE: 'memory' }),
    bench.app('mongo-worker', { AMQP_URL, MONGODB_URL: mongodb.url, MONGODB_DATABASE: 'memory' }),
  ]);
  for (const app of apps) app.start();
  await Promise.all(apps.map((app) => app.ready()));
  return { apps, amqp: AMQP_URL, url: `http://127.0.0.1:${port}/events`, redis: client };
}

function watchMemory(apps: readonly App[]) {
  const sizes = new Map(apps.map((app) => [app, [] as number[]]));
  const timer = setInterval(() => {
    for (const app of apps) sizes.get(app)?.push((app.resources()?.rssBytes ?? NaN) / 1024 ** 2);
  }, SAMPLE_MS);
  return {
    end() {
      clearInterval(timer);
      return sizes;
    },
  };
}

async function post(url: string, progress: Bench['progress']): Promise<void> {
  let next = 0;
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/cloudevents-batch+json' };
  const client = async () => {
    while (next < EVENTS) {
      const from = next;
      next += POSTED_AT_ONCE;
      if (from % 100_000 === 0) progress(`${from.toLocaleString('en-US')} events posted`);
      const body = JSON.stringify(Array.from({ length: POSTED_AT_ONCE }, (_, n) => pullInOrder(from + n)));
      const answer = await fetch(url, { method: 'POST', headers, body });
      if (answer.status !== 202) throw new Error(`ingest answered ${answer.status}: ${await answer.text()}`);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

/** Every worker has taken everything. */
async function untilEmpty(amqp: string, progress: Bench['progress']): Promise<void> {
  const connection = await connect(amqp);
  try {
    const channel = await connection.createChannel();
    for (;;) {
      const depths = await Promise.all(WORKERS.map((worker) => depthOf(channel, queueOf(worker))));
      if (depths.every((depth) => depth === 0)) return;
      progress(`${Math.max(...depths).toLocaleString('en-US')} events are still to be taken by one of the workers`);
      await pause(5 * SAMPLE_MS);
    }
  } finally {
    await connection.close();
  }
}

const depthOf = async (channel: Channel, queue: string): Promise<number> =>
  (await channel.checkQueue(queue)).messageCount;

function rowsOf(app: string, sizes: readonly number[], exact: boolean): Row[] {
  const events = `after ${EVENTS.toLocaleString('en-US')} events`;
  return [
    alone({
      name: `${app}: highest resident memory ${events}`,
      unit: 'MB',
      value: measured([Math.max(...sizes)]),
      target: atMost(LIMIT_MB),
      holds: exact,
    }),
    alone({
      name: `${app}: growth from the second quarter to the last`,
      unit: '%',
      value: measured([growthOf(sizes)]),
      target: atMost(FLAT_PERCENT),
    }),
  ];
}
