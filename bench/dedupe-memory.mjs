/**
 * How much of Redis' memory the dedupe takes for each event that it remembers.
 *
 *   npm run build && node bench/dedupe-memory.mjs [--events 1000000]
 *
 * The identities are counted by the redis-worker's own script, on a Redis of the benchmark's own, in batches of 1,000;
 * `used_memory` before and after. The counters themselves are a handful of keys here. Also measured: the most that it
 * takes at any size: while the table of the set is being doubled, the old one is there too.
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
const { createEvent } = require('@weir/events');
const { createCounter, statistics } = require('@weir/usage');
const { startRedis } = require('@weir/testing');

const { values } = parseArgs({ options: { events: { type: 'string', default: '1000000' } } });
const EVENTS = Number(values.events);
const BATCH = 1000;
const LIMIT = 80;

const dir = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const server = await startRedis({ dir });
const redis = new Redis(server.url);
try {
  const counter = createCounter({ redis, statistics, prefix: '', dedupeSeconds: 32 * 86_400 });
  const time = new Date('2026-11-23T12:00:00Z');
  const pull = () => createEvent('io.weir.pull', { repository: 'a' }, { source: 'bench', time });
  await counter.count([pull()]);
  const before = await usedMemory();
  let worst = { events: 0, bytes: 0 };
  for (let counted = 0; counted < EVENTS; counted += BATCH) {
    await counter.count(Array.from({ length: BATCH }, pull));
    if (counted < 50_000) continue;
    const bytes = ((await usedMemory()) - before) / (counted + BATCH);
    if (bytes > worst.bytes) worst = { events: counted + BATCH, bytes };
  }
  const bytes = ((await usedMemory()) - before) / EVENTS;
  const members = await redis.scard('weir:seen:2026-11-23');
  const memoryUsage = (await redis.memory('USAGE', 'weir:seen:2026-11-23', 'SAMPLES', 0)) / members;
  const ok = bytes <= LIMIT && members === EVENTS + 1;
  const round = (number) => Math.round(number * 10) / 10;
  process.stdout.write(
    `${JSON.stringify({
      redis: /redis_version:(\S+)/.exec(await redis.info('server'))?.[1],
      events: EVENTS,
      bytesPerEvent: round(bytes),
      worst: { events: worst.events, bytesPerEvent: round(worst.bytes) },
      memoryUsagePerEvent: round(memoryUsage),
      formula: { quantum16: formula(EVENTS, 64), quantum8: formula(EVENTS, 48) },
      limit: LIMIT,
      ok,
    })}\n`,
  );
  process.exitCode = ok ? 0 : 1;
} finally {
  redis.disconnect();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
}

async function usedMemory() {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

/**
 * One entry of 24 bytes and one string of 18 (the identity, its header, its end) for each event, as the allocator rounds
 * them up: to 32 each where its classes are 16 bytes apart (Debian's jemalloc), to 24 where they are 8 apart (the one
 * that Redis brings); and 8 for each slot of a table whose size is the next power of two.
 */
function formula(events, entryAndString) {
  return Math.round((entryAndString + (8 * 2 ** Math.ceil(Math.log2(events))) / events) * 10) / 10;
}
