/**
 * Rebuilds the counters from the history while events keep coming, and proves that they are right to the byte.
 *
 *   npm run build && node bench/rebuild.mjs [--events 1000000] [--rate 1000] [--skip-verify]
 *
 * On servers of its own: publishes the events, lets the real redis-worker count them, spoils counters, runs
 * `weir rebuild` and then `weir verify` while `rate` events a second go on, and compares every key in Redis with a count
 * that is made here, from nothing but the events (nothing of libs/usage). One JSON object; exit code 1 when it differs.
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
const { declareTopology, EXCHANGE, queueOf } = require('@weir/bus');
const { createEvent, encodeEvent } = require('@weir/events');
const { startRabbitmq, startRedis } = require('@weir/testing');

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '1000' },
    'skip-verify': { type: 'boolean' },
  },
});
const EVENTS = Number(values.events);
const RATE = Number(values.rate);
const DAYS = 5;
const DAY_MS = 24 * 3600 * 1000;
const begun = Date.now();
const PLATFORMS = [
  ['linux/amd64', 'amd64'],
  ['linux/arm64/v8', 'arm64'],
  ['linux/arm/v7', 'arm'],
];

const dir = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const [rabbitmq, server] = await Promise.all([
  startRabbitmq({ dir: join(dir, 'rabbitmq') }),
  startRedis({ dir: join(dir, 'redis') }),
]);
const env = { ...process.env, AMQP_URL: rabbitmq.url, REDIS_URL: server.url, LOG_LEVEL: 'warn' };
const connection = await connect(rabbitmq.url);
const channel = await connection.createConfirmChannel();
const redis = new Redis(server.url);
const hand = new Map();
let published = 0;
let worker;
try {
  await declareTopology(channel);
  worker = spawn(process.execPath, [join(root, 'apps/redis-worker/dist/main.js')], { env, stdio: 'inherit' });
  const emptying = setInterval(() => void emptyOthers().catch(() => {}), 1000);
  await timed('published', () => publish(EVENTS));
  await timed('counted', () => counted());
  const before = compare(await counters());

  await spoil();
  const spoiled = compare(await counters());
  const flow = keepComing();
  const rebuild = await weir('rebuild', '--yes', '--json', '--limit', '0');
  const verify = values['skip-verify']
    ? { code: 0 }
    : await weir('verify', '--only', 'redis', '--wait', '120', '--json', '--limit', '5');
  const during = await flow.stop();
  await timed('the rest counted', () => counted());
  clearInterval(emptying);
  const after = compare(await counters());

  const identities = await remembered();
  const ok =
    before.differences === 0 && spoiled.differences > 0 && after.differences === 0 &&
    rebuild.code === 0 && rebuild.answer.swapped && verify.code === 0 && identities === hand.get('identities'); // prettier-ignore
  process.stdout.write(
    `${JSON.stringify({
      events: EVENTS,
      keys: after.keys,
      spoiledKeys: spoiled.differences,
      during,
      rebuild: { ...rebuild.answer, drifts: undefined, days: undefined },
      verify: verify.answer && { ...verify.answer, days: undefined },
      differencesAfter: after.differences,
      identities,
      seconds: Math.round((Date.now() - begun) / 1000),
      ok,
    })}\n`,
  );
  process.exitCode = ok ? 0 : 1;
} finally {
  if (worker) {
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.kill('SIGTERM');
    await ended;
  }
  redis.disconnect();
  await connection.close();
  await Promise.all([rabbitmq.stop(), server.stop()]);
  await rm(dir, { recursive: true, force: true });
}

/** Publishes new events to the exchange, and counts them by hand. */
async function publish(count) {
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  for (let left = count; left > 0; left -= 1) {
    const n = published++;
    const type = n % 17 === 0 ? 'io.weir.check' : n % 13 === 0 ? 'io.weir.mirror' : 'io.weir.pull';
    const organization = n % 7 === 0 ? undefined : `org-${(n * 7919) % 97}.example`;
    const [platform, architecture] = PLATFORMS[n % 3];
    const fusion = n % 5 === 0;
    const time = new Date(today - (n % DAYS) * DAY_MS + (n % 1000));
    const user = organization ? { user: { organization } } : {};
    const data = { repository: `team-${n % 50}/app`, platform, fusion, ...user };
    channel.publish(EXCHANGE, '', encodeEvent(createEvent(type, data, { source: 'bench', time })), {
      persistent: true,
    });
    countByHand(type, time.toISOString().slice(0, 10), organization, architecture, fusion);
    if (left % 2000 === 1) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

/** Seed 000, in words of its own. */
function countByHand(type, day, organization, architecture, fusion) {
  const metrics = { 'io.weir.pull': fusion ? ['pulls', 'fusion'] : ['pulls'], 'io.weir.mirror': ['mirrors'] }[type];
  add('identities'); // that of every event is remembered
  if (!metrics) return;
  for (const metric of metrics) {
    add(`${metric}/d/${day}`);
    for (const stem of stems(organization, architecture)) {
      add(metric + stem);
      add(`${metric}${stem}/d/${day}`);
    }
  }
}

function stems(organization, architecture) {
  const arch = `/a/${architecture}`;
  return organization ? [arch, `/o/${organization}`, `/o/${organization}${arch}`] : [arch];
}

function add(key) {
  hand.set(key, (hand.get(key) ?? 0) + 1);
}

/** `rate` new events a second until it is stopped. */
function keepComing() {
  const from = Date.now();
  let [sent, stopped] = [0, false];
  const running = (async () => {
    while (!stopped) {
      const due = Math.floor(((Date.now() - from) / 1000) * RATE) - sent;
      if (due > 0) await publish(due);
      sent += Math.max(due, 0);
      await pause(50);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await running;
      return { events: sent, perSecond: Math.round(sent / ((Date.now() - from) / 1000)) };
    },
  };
}

/** Every kind of wrong: too much, too little, gone, and made up. */
async function spoil() {
  const keys = Object.keys(await counters());
  for (let n = 0; n < keys.length; n += 10) await redis.incrby(keys[n], 1 + (n % 7));
  for (let n = 5; n < keys.length; n += 50) await redis.del(keys[n]);
  await redis.set('pulls/o/nobody', 42);
}

/** Waits until the redis-worker has remembered everything that was published. */
async function counted() {
  while ((await remembered()) < hand.get('identities')) await pause(200);
}

async function remembered() {
  let identities = 0;
  for (const key of await redis.keys('weir:seen:*')) identities += await redis.scard(key);
  return identities;
}

async function counters() {
  const keys = (await redis.keys('*')).filter((key) => !key.startsWith('weir:'));
  const found = {};
  for (let from = 0; from < keys.length; from += 1000) {
    const part = keys.slice(from, from + 1000);
    (await redis.mget(part)).forEach((value, at) => (found[part[at]] = value));
  }
  return found;
}

function compare(found) {
  const keys = new Set([...Object.keys(found), ...hand.keys()].filter((key) => key !== 'identities'));
  const wrong = [...keys].filter((key) => found[key] !== String(hand.get(key)));
  return { keys: keys.size, differences: wrong.length };
}

/** The queues that nobody reads here. */
async function emptyOthers() {
  for (const other of ['influx', 'mongo']) await channel.purgeQueue(queueOf(other));
}

async function weir(...args) {
  process.stderr.write(`weir ${args.join(' ')}\n`);
  const child = spawn(process.execPath, [join(root, 'apps/cli/dist/main.js'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const code = await new Promise((resolve) => child.once('exit', resolve));
  return { code, answer: output ? JSON.parse(output) : {} };
}

async function timed(what, work) {
  const from = performance.now();
  await work();
  process.stderr.write(`${what}: ${((performance.now() - from) / 1000).toFixed(1)} s\n`);
}
