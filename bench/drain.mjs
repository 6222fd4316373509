/**
 * How fast the redis-worker drains a queue, against bare amqplib consuming and acknowledging the same queue.
 *
 *   npm run build && node bench/drain.mjs [--events 200000] [--rounds 3]
 *
 * Both run in one process of their own, in turn, on servers of the benchmark's own; the ratio is of medians. Everything
 * that makes counting exact stays on: validation, dedupe, the append-only file of Redis.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(join(root, 'libs/testing/package.json'));
const { connect } = require('amqplib');
const { Redis } = require('ioredis');
const { declareTopology, queueOf } = require('@weir/bus');
const { createEvent, encodeEvent } = require('@weir/events');
const { startRabbitmq, startRedis } = require('@weir/testing');

const { values } = parseArgs({
  options: { events: { type: 'string', default: '200000' }, rounds: { type: 'string', default: '3' } },
});
const EVENTS = Number(values.events);
const QUEUE = queueOf('redis');
const PREFETCH = 3000;

const dir = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const [rabbitmq, redis] = await Promise.all([
  startRabbitmq({ dir: join(dir, 'rabbitmq') }),
  startRedis({ dir: join(dir, 'redis') }),
]);
try {
  const connection = await connect(rabbitmq.url);
  const channel = await connection.createConfirmChannel();
  await declareTopology(channel);
  const client = new Redis(redis.url);

  const rates = { bare: [], worker: [] };
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    await fill(channel);
    rates.bare.push(await rateOf(() => bareDrain()));
    await fill(channel);
    await client.flushall();
    rates.worker.push(await rateOf((started) => workerDrain(client, started)));
    process.stderr.write(`round ${round}: bare ${rates.bare.at(-1)}/s, redis-worker ${rates.worker.at(-1)}/s\n`);
  }
  const [bare, worker] = [median(rates.bare), median(rates.worker)];
  process.stdout.write(
    `${JSON.stringify({ events: EVENTS, bare, worker, ratio: Number((worker / bare).toFixed(2)) })}\n`,
  );
  client.disconnect();
  await connection.close();
} finally {
  await Promise.all([rabbitmq.stop(), redis.stop()]);
  await rm(dir, { recursive: true, force: true });
}

/** Different pulls of 50 organizations, three architectures and ten days, about 400 bytes each. */
async function fill(channel) {
  const digest = `sha256:${'a1'.repeat(32)}`;
  for (let n = 0; n < EVENTS; n += 1) {
    const data = {
      repository: `team-${n % 50}/app`,
      tag: `1.${n % 20}`,
      digest,
      platform: ['linux/amd64', 'linux/arm64/v8', 'linux/arm/v7'][n % 3],
      user: { email: `me@org-${n % 50}.example` },
      client: { name: 'docker', version: '27.1.1' },
    };
    const time = new Date(Date.UTC(2026, 10, 1 + (n % 10), 12, 0, 0, n % 1000));
    channel.publish('', QUEUE, encodeEvent(createEvent('io.weir.pull', data, { source: 'bench', time })), {
      persistent: true,
    });
    if (n % 5000 === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

async function rateOf(drain) {
  let from = performance.now();
  await drain(() => (from = performance.now()));
  return Math.round(EVENTS / ((performance.now() - from) / 1000));
}

/** As fast as amqplib can: nothing is read, one `ack` for a thousand. */
async function bareDrain() {
  const connection = await connect(rabbitmq.url);
  const channel = await connection.createChannel();
  await channel.prefetch(PREFETCH);
  let left = EVENTS;
  await new Promise((resolve) => {
    void channel.consume(QUEUE, (message) => {
      left -= 1;
      if (left % 1000 === 0) channel.ack(message, true);
      if (left === 0) resolve();
    });
  });
  await channel.close();
  await connection.close();
}

/** The real app, from its first counted event to its last. */
async function workerDrain(client, started) {
  const env = { ...process.env, AMQP_URL: rabbitmq.url, REDIS_URL: redis.url, LOG_LEVEL: 'warn' };
  const worker = spawn(process.execPath, [join(root, 'apps/redis-worker/dist/main.js')], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const days = Array.from({ length: 10 }, (_, n) => `pulls/d/2026-11-${String(n + 1).padStart(2, '0')}`);
  for (let first = true, counted = 0; counted < EVENTS; await pause(20)) {
    counted = (await client.mget(days)).reduce((sum, value) => sum + Number(value ?? 0), 0);
    if (first && counted > 0) {
      first = false;
      started();
    }
  }
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.kill('SIGTERM');
  await ended;
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
