/**
 * How long the top 5 over 24 hours, 7 days and 365 days takes, and how much memory a long answer.
 *
 *   npm run build && node bench/statistics.mjs [--names 1000] [--rounds 300] [--organizations 100000]
 *
 * On a Redis of the benchmark's own: every hour of 15 days and every day of 365 has all names, written straight into the
 * buckets. Asked twice over the same keys, with 1 and with 100 events for each name: the numbers may not depend on it.
 * `first` is the first question of a range, which makes the blocks. Then one answer of all organizations is streamed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(join(root, 'apps/redis-worker/package.json'));
const { Redis } = require('ioredis');
const { createCubes } = require('@weir/usage');
const { startRedis } = require('@weir/testing');
const { bucketKey, formatMember } = require(join(root, 'libs/usage/dist/cube/keys.js'));

const { values } = parseArgs({
  options: {
    names: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '300' },
    organizations: { type: 'string', default: '100000' },
  },
});
const [NAMES, ROUNDS, ORGANIZATIONS] = [values.names, values.rounds, values.organizations].map(Number);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LIMIT_MS = 20;
const LIMIT_MB = 100;
const now = Math.floor(Date.now() / DAY) * DAY + 14.4 * HOUR;
const description = (name) => ({
  name,
  summary: 'Pulls.',
  description: 'Pulls.',
  measures: { pulls: { summary: 'A pull.' } },
  dimensions: { organization: 'Whose.' },
  groups: [['organization']],
  latest: [],
  keepDays: { hour: 15, day: 800 },
  names: 1_000_000,
  state: 'live',
  failures: 0,
});

const dir = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const server = await startRedis({ dir });
const redis = new Redis(server.url);
const cubes = createCubes({ redis, prefix: '', now: () => new Date(now) });
try {
  const results = [];
  for (const each of [1, 100]) {
    await redis.flushdb();
    await fill('pulls', NAMES, each);
    for (const [range, length] of Object.entries({ '24h': DAY, '7d': 7 * DAY, '365d': 365 * DAY })) {
      const first = await timed(length);
      const times = [];
      for (let round = 0; round < ROUNDS; round++) times.push(await timed(length));
      times.sort((a, b) => a - b);
      const at = (share) => round2(times[Math.min(times.length - 1, Math.floor(times.length * share))]);
      results.push({ events: each * NAMES * 365, range, first: round2(first), p50: at(0.5), p99: at(0.99) });
    }
  }
  await redis.flushdb();
  await fillDay('many', ORGANIZATIONS);
  const stream = await streamed('many');
  const ok = results.every(({ p99 }) => p99 < LIMIT_MS) && stream.grownMB < LIMIT_MB && stream.rows === ORGANIZATIONS;
  const text = { names: NAMES, rounds: ROUNDS, top5: results, stream, limits: { ms: LIMIT_MS, MB: LIMIT_MB }, ok };
  process.stdout.write(`${JSON.stringify(text, undefined, 2)}\n`);
  process.exitCode = ok ? 0 : 1;
} finally {
  redis.disconnect();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
}

async function timed(length) {
  const started = process.hrtime.bigint();
  const answer = await cubes.ask(question('pulls', now - length, { top: 5 }));
  let rows = 0;
  for await (const page of answer.rows) rows += page.length;
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  if (rows !== 5 || answer.groups !== NAMES) throw new Error(`${rows} rows of ${answer.groups}`);
  return ms;
}

async function streamed(statistic) {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const started = performance.now();
  let [rows, most] = [0, before];
  const answer = await cubes.ask(question(statistic, now - 7 * DAY, {}));
  for await (const page of answer.rows) {
    rows += page.length;
    most = Math.max(most, process.memoryUsage.rss());
  }
  return { rows, ms: round2(performance.now() - started), grownMB: round2((most - before) / 1e6) };
}

function question(statistic, from, more) {
  return { statistic, measure: 'pulls', from, to: now, by: ['organization'], filters: {}, fill: false, ...more };
}

async function fill(statistic, names, each) {
  await redis.hset('weir:statistics', statistic, JSON.stringify(description(statistic)));
  const members = Array.from({ length: names }, (_, n) => formatMember([`organization-${n}.example`]));
  const scored = members.flatMap((member, n) => [each * (1 + (n % 97)), member]);
  const total = members.reduce((sum, _, n) => sum + each * (1 + (n % 97)), 0);
  const buckets = [];
  for (let day = 0; day <= 365; day++) buckets.push(iso(now - day * DAY).slice(0, 10));
  for (let hour = 0; hour < 15 * 24; hour++) buckets.push(iso(now - hour * HOUR).slice(0, 13));
  for (const bucket of buckets) {
    await redis.zadd(bucketKey('', { statistic, measure: 'pulls', group: ['organization'] }, bucket), ...scored);
    await redis.zadd(bucketKey('', { statistic, measure: 'pulls', group: [] }, bucket), total, '');
  }
}

async function fillDay(statistic, names) {
  await redis.hset('weir:statistics', statistic, JSON.stringify(description(statistic)));
  const key = bucketKey('', { statistic, measure: 'pulls', group: ['organization'] }, iso(now - 2 * DAY).slice(0, 10));
  for (let at = 0; at < names; at += 1000) {
    const part = Array.from({ length: Math.min(1000, names - at) }, (_, n) => [at + n + 1, `organization-${at + n}`]);
    await redis.zadd(key, ...part.flat());
  }
}

function iso(time) {
  return new Date(time).toISOString();
}

function round2(number) {
  return Math.round(number * 100) / 100;
}
