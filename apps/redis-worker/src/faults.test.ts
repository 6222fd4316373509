import { spawn } from 'node:child_process';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createEvent, type WeirEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import { startRedis, temporaryDirectory, until, type PrivateServer } from '@weir/testing';
import { takeHold } from '@weir/usage';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createDurability } from './durable';
import { batchFrom, day } from './faults.test-support';
import { redisWorker } from './redis';

/** The faults of Redis, by their numbers in the reference (reliability A.9). */

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let redis: Redis;
let metrics: Registry;
let worker: ReturnType<typeof create>;

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startRedis({ dir: directory.path });
  redis = connectTo(server.url);
});
beforeEach(async () => {
  await redis.flushall();
  metrics = new Registry();
  worker = create(metrics);
  await worker.connect();
});
afterEach(() => worker.close());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await directory.remove();
});

function connectTo(url: string): Redis {
  const connected = new Redis(url);
  connected.on('error', () => {}); // servers come and go here
  return connected;
}

function create(registry = new Registry()) {
  const config = readConfig(redisWorker.variables, { REDIS_URL: server.url });
  const made = redisWorker.create(config, { log: pino({ level: 'silent' }), metrics: registry });
  return made as typeof made & { durable(): Promise<void>; probe(): Promise<void> };
}

function pull(time = '2024-04-23T12:00:00.000Z'): WeirEvent {
  return createEvent('io.weir.pull', { repository: 'a' }, { source: 'test', time: new Date(time) });
}

const today = () => redis.get('pulls/d/2024-04-23');
const metric = async (name: string) => (await metrics.getSingleMetric(name)?.get())?.values[0]?.value;
const DAY = 86_400;

describe('F32: a duplicate that comes late', () => {
  const recent = new Date(Date.now() - 2 * DAY * 1000).toISOString();
  const day = recent.slice(0, 10);
  /** Brings the end of the day's memory nearer, as days that pass would. */
  const pass = async (days: number) => {
    const left = await redis.ttl(`weir:seen:${day}`);
    await redis.expire(`weir:seen:${day}`, left - days * DAY);
  };

  test('within the 32 days of the memory is known', async () => {
    const event = pull(recent);
    await worker.write([event]);
    await pass(31);
    await worker.write([event]);
    expect(await redis.get(`pulls/d/${day}`)).toBe('1');
    expect(await metric('weir_usage_late_events_total')).toBe(0);
  });

  test('after them is counted again, as documented, and a metric tells of events so old', async () => {
    const [recentEvent, old] = [pull(recent), pull(new Date(Date.now() - 33 * DAY * 1000).toISOString())];
    await worker.write([recentEvent]);
    await pass(33);
    await worker.write([recentEvent, old]);
    expect(await redis.get(`pulls/d/${day}`)).toBe('2');
    expect(await metric('weir_usage_late_events_total')).toBe(1);
  });
});

describe('F36: a Redis that is killed', () => {
  test('has kept every batch that was done, again and again', async () => {
    let done = 0;
    for (let round = 0; round < 4; round += 1) {
      const writing = (async () => {
        for (;;) {
          await worker.write(Array.from({ length: 20 }, () => pull()));
          await worker.durable();
          done += 20;
        }
      })();
      const ended = expect(writing).rejects.toThrow(/Redis at/);
      const goal = done + 400;
      await until(() => done >= goal);
      await server.kill();
      await ended;
      await server.start();
      await until(async () => (await redis.ping()) === 'PONG');
      const counted = Number(await today());
      expect(counted).toBeGreaterThanOrEqual(done);
      // The batch whose answer did not come any more may have been counted: that one at most.
      expect(counted).toBeLessThanOrEqual(done + 20);
      done = counted;
    }
  }, 60_000);

  test('a batch is not done before Redis has written it to its file', async () => {
    const answers = [
      file({ buffered: 300, size: 1000 }),
      file({ buffered: 900, size: 1000 }),
      file({ buffered: 700, size: 1300 }),
    ];
    let asked = 0;
    await createDurability({ info: async () => answers[asked++] ?? file({ buffered: 9, size: 1400 }) }).written();
    expect(asked).toBe(3);
  });

  test('a Redis that never writes to its file is an error, so that the batch is kept', async () => {
    const stuck = createDurability({ info: async () => file({ buffered: 300, size: 1000 }) }, () => 1, 50);
    await expect(stuck.written()).rejects.toThrow(/has not written what it counted.*look at its disk/);
  });

  test('a Redis that another connection leads to says nothing of what was answered on the last one', async () => {
    let connection = 1;
    const info = async () =>
      connection === 1 ? file({ buffered: 300, size: 1000 }) : file({ buffered: 0, size: 2000 });
    const written = createDurability({ info }, () => connection).written();
    connection = 2;
    await expect(written).rejects.toThrow('the connection to Redis was lost');
  });

  test('many batches that wait ask together, and none of them before it has come', async () => {
    const asked: (() => void)[] = [];
    const info = () => new Promise<string>((resolve) => asked.push(() => resolve(file({ buffered: 0, size: 1 }))));
    const durability = createDurability({ info });
    const first = durability.written();
    await Promise.resolve();
    const others = [durability.written(), durability.written(), durability.written()];
    expect(asked).toHaveLength(1);
    asked[0]?.();
    await first;
    await until(() => asked.length === 2);
    asked[1]?.();
    await Promise.all(others);
    expect(asked).toHaveLength(2);
  });

  const file = ({ buffered, size }: { buffered: number; size: number }) =>
    `# Persistence\r\naof_enabled:1\r\naof_current_size:${size}\r\naof_base_size:88\r\naof_buffer_length:${buffered}\r\n`;
});

describe('F37: a Redis that comes back without its data', () => {
  const loseData = async () => {
    await server.kill();
    await rm(join(server.dir, 'appendonlydir'), { recursive: true });
    await server.start();
    await until(async () => (await redis.dbsize()) === 0);
  };

  test('is counted into no more: the worker says what to do, and so do its metric and its probe', async () => {
    await worker.write([pull()]);
    expect(await metric('weir_redis_data_lost')).toBe(0);
    await loseData();
    const batch = [pull()];
    await until(() =>
      worker.write(batch).then(
        () => true,
        (error: Error) => /does not hold the data/.test(error.message),
      ),
    );
    await expect(worker.write(batch)).rejects.toThrow(/weir:store is gone.*`weir rebuild`.*restart the redis-worker/s);
    await expect(worker.probe()).rejects.toThrow(/does not hold the data/);
    expect(await redis.dbsize()).toBe(0);
    expect(await metric('weir_redis_data_lost')).toBe(1);
  });

  test('is found out by the probe alone, when nothing is to be counted', async () => {
    await worker.write([pull()]);
    await worker.probe();
    await redis.flushall();
    await expect(worker.probe()).rejects.toThrow(/does not hold the data/);
    expect(await metric('weir_redis_data_lost')).toBe(1);
  });

  test('is counted into again once its data is back', async () => {
    await worker.write([pull()]);
    const [id, count] = [await redis.get('weir:store'), await today()];
    await redis.flushall();
    await expect(worker.write([pull()])).rejects.toThrow(/does not hold the data/);
    await redis.mset({ 'weir:store': id ?? '', 'pulls/d/2024-04-23': count ?? '' });
    await worker.write([pull()]);
    expect(await today()).toBe('2');
    expect(await metric('weir_redis_data_lost')).toBe(0);
  });

  test('is counted into again when it was rebuilt, and not when another worker began anew', async () => {
    await worker.write([pull()]);
    await redis.set('weir:store', 'another');
    await expect(worker.write([pull()])).rejects.toThrow(/does not hold the data/);
    await redis.set('weir:store', 'rebuilt-1');
    await worker.write([pull()]);
    expect(await today()).toBe('2');
    expect(await metric('weir_redis_data_lost')).toBe(0);
  });

  test('is begun anew by a worker that is restarted', async () => {
    await worker.write([pull()]);
    await redis.flushall();
    await expect(worker.write([pull()])).rejects.toThrow(/does not hold the data/);
    const restarted = create();
    await restarted.connect();
    await restarted.write([pull()]);
    await restarted.close();
    expect(await today()).toBe('1');
  });
});

test('F38: a Redis whose memory is full takes nothing of the batch, and all of it once there is room', async () => {
  const batch = [pull(), pull()];
  await worker.write([pull()]);
  await redis.config('SET', 'maxmemory', '1');
  await expect(worker.write(batch)).rejects.toThrow(/OOM/);
  expect(await today()).toBe('1');
  await redis.config('SET', 'maxmemory', '0');
  await worker.write(batch);
  expect(await today()).toBe('3');
});

describe('F39: a Redis that cannot just now', () => {
  test('READONLY: a replica after a failover takes nothing, the primary that it becomes takes it once', async () => {
    const batch = [pull()];
    await worker.write(batch);
    const later = [pull()];
    await redis.replicaof('127.0.0.1', 1);
    await expect(worker.write(later)).rejects.toThrow(/READONLY/);
    await redis.replicaof('NO', 'ONE');
    await worker.write(later);
    expect(await today()).toBe('2');
  });

  test('BUSY: one that runs a long script is waited for', async () => {
    await redis.config('SET', 'busy-reply-threshold', '50');
    const other = connectTo(server.url);
    const endless = expect(other.eval('while true do end', 0)).rejects.toThrow(/killed/);
    const batch = [pull()];
    await until(() =>
      worker.write(batch).then(
        () => false,
        (error: Error) => error.message.includes('BUSY'),
      ),
    );
    await redis.script('KILL');
    await endless;
    other.disconnect();
    await worker.write(batch);
    expect(await today()).toBe('1');
    await redis.config('SET', 'busy-reply-threshold', '5000');
  });

  test('NOSCRIPT: one that has forgotten the script is told it again', async () => {
    await worker.write([pull()]);
    await redis.script('FLUSH');
    await worker.write([pull()]);
    expect(await today()).toBe('2');
  });

  test('LOADING: one that still reads its file is waited for, and has everything then', async () => {
    await worker.write([pull()]);
    const many = redis.pipeline();
    for (let n = 0; n < 20_000; n += 1) many.set(`filler:${n}`, 'x');
    await many.exec();
    await server.stop();
    const file = join(server.dir, 'redis.conf');
    const before = await readFile(file);
    await appendFile(file, 'key-load-delay 100\n');
    const starting = server.start(); // resolves when it has read everything
    const batch = [pull()];
    await until(() =>
      worker.write(batch).then(
        () => false,
        (error: Error) => error.message.includes('LOADING'),
      ),
    );
    await starting;
    await until(() => worker.write(batch).then(() => true));
    await writeFile(file, before);
    expect(await today()).toBe('2');
  });
});

test('F40: a counter of another type stops the batch with its name; the next batch waits for nobody else', async () => {
  await redis.rpush('pulls/d/2024-04-23', 'x');
  const batch = [pull(), pull('2024-04-24T00:00:00.000Z')];
  await expect(worker.write(batch)).rejects.toThrow(/Redis key pulls\/d\/2024-04-23 holds a list, not a counter/);
  expect(await redis.get('pulls/d/2024-04-24')).toBeNull();
  await worker.write([pull('2024-04-25T00:00:00.000Z')]);
  await redis.del('pulls/d/2024-04-23');
  await worker.write(batch);
  expect(await redis.mget('pulls/d/2024-04-23', 'pulls/d/2024-04-24', 'pulls/d/2024-04-25')).toEqual(['1', '1', '1']);
});

describe('distinct sources, whatever ends in between', () => {
  /** Of each organization below `end`: pulls counted, and sources in its own set. */
  const found = async (end: number) => {
    const pipeline = redis.pipeline();
    for (let n = 0; n < end; n += 1) {
      pipeline.get(`pulls/o/org${n}/d/${day}`).pfcount(`weir:distinct:sources:day/organization/org${n}/d/${day}`);
    }
    const answers = ((await pipeline.exec()) ?? []).map(([, answer]) => Number(answer ?? 0));
    return Array.from({ length: end }, (_, n) => [answers[2 * n], answers[2 * n + 1]]);
  };

  test('a Redis that is killed has kept both the pull and its source, or neither', async () => {
    let done = 0;
    for (let round = 0; round < 3; round += 1) {
      const writing = (async () => {
        for (;;) {
          await worker.write(batchFrom(done));
          await worker.durable();
          done += 20;
        }
      })();
      const ended = expect(writing).rejects.toThrow(/Redis at/);
      const goal = done + 200;
      await until(() => done >= goal);
      await server.kill();
      await ended;
      await server.start();
      await until(async () => (await redis.ping()) === 'PONG');
      const kept = await found(done + 20);
      expect(kept.slice(0, done).filter(([pulls, sources]) => pulls !== 1 || sources !== 1)).toEqual([]);
      expect(kept.filter(([pulls, sources]) => pulls !== sources)).toEqual([]);
    }
  }, 60_000);

  test('a worker that is killed and begins anew leaves each pull and each source once', async () => {
    const program = `
      const { readConfig } = require('@weir/service');
      const { batchFrom } = require('./faults.test-support');
      const { redisWorker } = require('./redis');
      const context = { log: require('pino')({ level: 'silent' }), metrics: new (require('prom-client').Registry)() };
      const worker = redisWorker.create(readConfig(redisWorker.variables, process.env), context);
      (async () => {
        await worker.connect();
        for (let from = 0; ; from += 20) {
          await worker.write(batchFrom(from));
          await worker.durable();
          process.stdout.write(from + '\\n');
        }
      })();`;
    const source = join(__dirname, '../../../libs/testing/src/source.js');
    let end = 0;
    for (const batches of [3, 7, 12]) {
      const child = spawn(process.execPath, ['--conditions=@weir/source', '--require', source, '--eval', program], {
        cwd: __dirname,
        env: { PATH: process.env['PATH'], REDIS_URL: server.url },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      for await (const line of createInterface({ input: child.stdout })) {
        end = Number(line) + 20;
        if (end >= batches * 20) child.kill('SIGKILL');
      }
    }
    expect(end).toBeGreaterThanOrEqual(240);
    // What was in its hands comes again, and everything else, too.
    for (let from = 0; from < end + 20; from += 20) await worker.write(batchFrom(from));
    expect((await found(end + 20)).filter(([pulls, sources]) => pulls !== 1 || sources !== 1)).toEqual([]);
  }, 60_000);

  test('a full Redis takes neither, and both once there is room; the same batch again changes nothing', async () => {
    const batch = batchFrom(0);
    await redis.config('SET', 'maxmemory', '1');
    await expect(worker.write(batch)).rejects.toThrow(/OOM/);
    expect(await redis.keys('weir:distinct*')).toEqual([]);
    await redis.config('SET', 'maxmemory', '0');
    await worker.write(batch);
    await worker.write(batch);
    expect(await found(20)).toEqual(batch.map(() => [1, 1]));
  });
});

test('while somebody holds the counters nothing is counted, and everything once they are let go', async () => {
  const batch = [pull()];
  const hold = await takeHold({ redis, prefix: '' });
  await expect(worker.write(batch)).rejects.toThrow(/held for a moment by `weir rebuild`, `weir verify` or a filling/);
  expect(await today()).toBeNull();
  await hold.release();
  await worker.write(batch);
  expect(await today()).toBe('1');
});
