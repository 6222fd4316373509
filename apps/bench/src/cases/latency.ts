import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createPublisher } from '@weir/bus';
import { until } from '@weir/testing';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { Bench, Case } from '../case';
import { pullOf } from '../events';
import { measured } from '../measure';
import { alone, atMost } from '../row';

const A_SECOND = 1000;
const SECONDS = 6;
const WARM_SECONDS = 2;
const LOOK_MS = 1;
/** What has not come so long after the last one never will. */
const LATE_MS = 20_000;
const DAY_MS = 86_400_000;

/**
 * From `publish` to the counter in Redis, through the broker and the real redis-worker, at a steady rate. Pulls are told
 * of as they happen, so all are of this hour: those of several days would change several times as many counters.
 */
export const latency: Case = {
  name: 'latency',
  async run(bench) {
    const { send, counted } = await start(bench);
    await run(WARM_SECONDS * A_SECOND, send, counted);
    const [half, most]: [number[], number[]] = [[], []];
    let exact = true;
    for (let round = 1; round <= bench.rounds; round += 1) {
      bench.progress(`round ${round} of ${bench.rounds}`);
      const waits = (await run(SECONDS * A_SECOND, send, counted)).sort((a, b) => a - b);
      half.push(waits[Math.floor(waits.length * 0.5)] ?? NaN);
      most.push(waits[Math.floor(waits.length * 0.99)] ?? NaN);
      exact &&= waits.length === SECONDS * A_SECOND;
    }
    const row = { unit: 'ms', holds: exact, note: 'pulls of this hour, published as they happen' };
    const name = `event published to counter in Redis, ${A_SECOND}/s`;
    return [
      alone({ name: `${name}: p50`, value: measured(half), target: atMost(15), ...row }),
      alone({ name: `${name}: p99`, value: measured(most), target: atMost(60), ...row }),
    ];
  },
};

/** Of which an event is visible is told by how many are: they come in the order in which they were sent. */
async function run(events: number, send: (n: number) => void, counted: () => Promise<number>): Promise<number[]> {
  const before = await counted();
  const sent: number[] = [];
  const waits: number[] = [];
  const from = performance.now();
  const sending = (async () => {
    while (sent.length < events) {
      const due = Math.min(events, ((performance.now() - from) / 1000) * A_SECOND);
      while (sent.length < due) {
        sent.push(performance.now());
        send(sent.length);
      }
      await pause(LOOK_MS);
    }
  })();
  const end = from + (events / A_SECOND) * 1000 + LATE_MS;
  while (waits.length < events && performance.now() < end) {
    const visible = (await counted()) - before;
    const now = performance.now();
    for (const at of sent.slice(waits.length, visible)) waits.push(now - at);
    await pause(LOOK_MS);
  }
  await sending;
  return waits;
}

async function start(bench: Bench) {
  const [rabbitmq, redis] = await Promise.all([bench.servers.rabbitmq(), bench.servers.redis()]);
  const url = await rabbitmq.addVhost('latency');
  bench.onEnd(() => rabbitmq.deleteVhost('latency'));
  const client = new Redis(redis.url);
  bench.onEnd(() => client.disconnect());
  await client.flushall();
  const worker = await bench.app('redis-worker', { AMQP_URL: url, REDIS_URL: redis.url });
  worker.start();
  const log = pino({ level: 'silent' });
  const spoolDir = join(bench.dir, 'spool');
  const publisher = createPublisher({ url, spoolDir, log, metrics: new Registry(), source: 'bench' });
  bench.onEnd(() => publisher.close());
  await worker.ready();
  await until(() => publisher.ready() === true && publisher.owning() === true);
  const days = [0, DAY_MS].map((later) => `pulls/d/${new Date(Date.now() + later).toISOString().slice(0, 10)}`);
  return {
    send: (n: number): void => void publisher.publish({ ...pullOf(n), time: new Date().toISOString() }),
    counted: async () => (await client.mget(days)).reduce((sum, count) => sum + Number(count ?? 0), 0),
  };
}
