import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { processesOf } from './leftovers.test-support';
import { startRedis } from './redis';
import type { PrivateServer } from './server';
import { temporaryDirectory } from './temporary';
import { until } from './wait';

describe('a private Redis', () => {
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateServer;

  beforeAll(async () => {
    dir = await temporaryDirectory();
    server = await startRedis({ dir: dir.path });
  });
  afterAll(async () => {
    await server.stop();
    await dir.remove();
  });

  it('keeps a counter through a stop and a crash, and refuses to forget one when it is full', async () => {
    await withRedis(server.url, async (redis) => {
      expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
      await redis.incrby('pulls', 41);
    });
    await server.stop();
    await server.start();
    await server.kill();
    await server.start();
    await withRedis(server.url, async (redis) => expect(await redis.get('pulls')).toBe('41'));
  });

  it('freezes and goes on', async () => {
    server.suspend();
    const redis = new Redis(server.url, { commandTimeout: 300, maxRetriesPerRequest: 0, retryStrategy: () => null });
    redis.on('error', () => {});
    await expect(redis.ping()).rejects.toThrow();
    redis.disconnect();
    server.resume();
    await withRedis(server.url, async (again) => expect(await again.ping()).toBe('PONG'));
  });

  it('lets nobody in without its password', async () => {
    const redis = new Redis(server.url.replace(/:[^:@]+@/, ':wrong@'), {
      lazyConnect: true,
      retryStrategy: () => null,
    });
    redis.on('error', () => {});
    await expect(redis.get('pulls')).rejects.toThrow();
    redis.disconnect();
  });

  it('has the same data, password and port in a second instance, and ends what the first one left behind', async () => {
    await withRedis(server.url, async (redis) => void (await redis.set('kept', 'yes')));
    const [before] = server.pids;
    const second = await startRedis({ dir: dir.path });
    try {
      expect(processesOf(dir.path)).toHaveLength(1);
      expect(second.pids).not.toEqual([before]);
      await withRedis(second.url, async (redis) => expect(await redis.get('kept')).toBe('yes'));
    } finally {
      await second.stop();
    }
  });

  it('leaves no process when it is stopped, even if it was frozen', async () => {
    await server.stop();
    await server.start();
    server.suspend();
    await server.stop();
    expect(processesOf(dir.path)).toEqual([]);
  });
});

async function withRedis(url: string, body: (redis: Redis) => Promise<void>): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    await body(redis);
  } finally {
    redis.disconnect();
  }
}

it('a server ends when the process that started it is killed, even if its data are gone', async () => {
  const dir = await temporaryDirectory();
  const code = `require(${JSON.stringify(join(__dirname, 'redis.ts'))}).startRedis({ dir: ${JSON.stringify(dir.path)} })
    .then(() => console.log('started'));`;
  const starter = spawn(process.execPath, ['--require', join(__dirname, '..', 'source.js'), '--eval', code]);
  const ended = once(starter, 'exit');
  await once(starter.stdout, 'data');
  expect(processesOf(dir.path)).toContainEqual(expect.stringMatching(/redis-server/));

  await dir.remove();
  starter.kill('SIGKILL');
  await ended;
  const nothingIsLeft = () => expect(processesOf(dir.path)).toEqual([]);
  await until('Redis did not end', nothingIsLeft, { timeoutMs: 20_000 });
});
