import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { declareTopology, queueOf } from '@weir/bus';
import type { WeirEvent } from '@weir/events';
import { startRabbitmq, temporaryDirectory, until, type PrivateRabbitmq } from '@weir/testing';
import { connect } from 'amqplib';
import { pull, startIngest, type IngestProcess } from './process.test-support';

jest.setTimeout(180_000); // many processes, one after the other

/**
 * The process of ingest with its spool in trouble: killed, stopped, twice on one directory, on a disk that takes no more.
 * The broker is this file's own: an alarm is for all of it.
 */
const NO_BROKER = 'amqp://127.0.0.1:9';
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: PrivateRabbitmq;
let spool: string;
let serial = 0;
const running: IngestProcess[] = [];

const start = async (env: Record<string, string> = {}): Promise<IngestProcess> => {
  const ingest = await startIngest({ AMQP_URL: broker.url, SPOOL_DIR: spool, ...env });
  running.push(ingest);
  return ingest;
};
const ready = (ingest: IngestProcess) => until(async () => (await ingest.readiness()).status === 200);

/** Waits until all of these are in a worker's queue. */
async function arrived(ids: readonly string[]): Promise<void> {
  const missing = new Set(ids);
  await until(async () => {
    const connection = await connect(broker.url);
    try {
      const channel = await connection.createChannel();
      for (;;) {
        const message = await channel.get(queueOf('redis'), { noAck: true });
        if (!message) return missing.size === 0;
        missing.delete((JSON.parse(message.content.toString()) as WeirEvent).id);
      }
    } finally {
      await connection.close();
    }
  });
}

beforeAll(async () => {
  root = await temporaryDirectory();
  broker = await startRabbitmq({ dir: join(root.path, 'rabbitmq'), startTimeoutMs: 150_000 });
  const connection = await connect(broker.url);
  await declareTopology(await connection.createChannel());
  await connection.close();
}, 180_000);
beforeEach(() => {
  spool = join(root.path, `spool-${(serial += 1)}`);
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map(({ ended }) => ended));
});
afterAll(async () => {
  await broker.stop();
  await root.remove();
}, 60_000);

/** What a process may write to one file, bytes: beyond it a write fails with EFBIG. No privileges are needed for this. */
async function limitFileSize({ child }: IngestProcess, limit: string): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(child.pid), `--fsize=${limit}:unlimited`]);
}

test('a disk that takes no more is 503 with the reason, and unreadiness; with room again it goes on by itself', async () => {
  const ingest = await start({ AMQP_URL: NO_BROKER });
  await ready(ingest);
  const before = randomUUID();
  expect(await ingest.post(pull(before))).toMatchObject({ status: 202, json: { status: 'spooled' } });

  await limitFileSize(ingest, '0');
  const reply = await ingest.post([pull(randomUUID()), pull(randomUUID())]);
  expect(reply.status).toBe(503);
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(reply.headers.get('content-type')).toBe('application/problem+json');
  expect(reply.json.detail).toContain('The disk of the spool is full');
  expect(JSON.stringify(reply.json)).not.toContain(root.path);
  expect(await ingest.readiness()).toMatchObject({
    status: 503, checks: { 'keeping events': 'The disk of the spool is full' },
  }); // prettier-ignore
  expect(await ingest.metric('weir_publisher_events_total{outcome="refused"}')).toBe(2);

  await limitFileSize(ingest, 'unlimited');
  await ready(ingest);
  const after = randomUUID();
  expect(await ingest.post(pull(after))).toMatchObject({ status: 202 });
  expect(await ingest.metric('weir_spool_events')).toBe(2);
  ingest.child.kill('SIGTERM');
  expect(await ingest.ended).toEqual([0, null]);
  await start();
  await arrived([before, after]);
});

test('a write that is cut short keeps what was acknowledged before it in the same file', async () => {
  const ingest = await start({ AMQP_URL: NO_BROKER });
  const kept: string[] = [];
  const post = async (note: string): Promise<number> => {
    const id = randomUUID();
    const { status } = await ingest.post(pull(id, note));
    if (status === 202) kept.push(id);
    return status;
  };
  expect(await post('x'.repeat(20_000))).toBe(202);
  await limitFileSize(ingest, '30000'); // 20 kB more begin in the first file, and fit into a second
  expect(await post('x'.repeat(20_000))).toBe(202);
  expect(await post('x'.repeat(40_000))).toBe(503);
  await until(async () => (await post('small')) === 202);
  await limitFileSize(ingest, 'unlimited');
  ingest.child.kill('SIGKILL');
  await ingest.ended;
  await start();
  await arrived(kept);
});

test('killed under load at any moment, with the broker and without, it has everything that it answered with 202 (F48)', async () => {
  const acknowledged: string[] = [];
  for (const [round, url] of [NO_BROKER, broker.url, NO_BROKER, broker.url].entries()) {
    const ingest = await start({ AMQP_URL: url });
    const loads = Array.from({ length: 8 }, () => ingest.load(acknowledged));
    const enough = acknowledged.length + 20 + round * 37;
    await until(() => acknowledged.length >= enough);
    ingest.child.kill('SIGKILL');
    expect(await ingest.ended).toEqual([null, 'SIGKILL']);
    await Promise.all(loads);
  }
  await start();
  await arrived(acknowledged);
});

test('SIGTERM under load while the broker blocks: it ends in time with exit code 0, and has kept everything (F11, F54)', async () => {
  const ingest = await start({ SHUTDOWN_GRACE_SECONDS: '10' });
  await ready(ingest);
  const acknowledged: string[] = [];
  const loads = Array.from({ length: 8 }, () => ingest.load(acknowledged));
  await until(() => acknowledged.length > 50);
  await broker.evaluate('rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).');
  try {
    const before = acknowledged.length;
    await until(async () => (await ingest.metric('weir_spool_events')) > 0 && acknowledged.length > before + 50);
    ingest.child.kill('SIGTERM');
    expect(await ingest.ended).toEqual([0, null]);
    await Promise.all(loads);
  } finally {
    await broker.evaluate('rabbit_alarm:clear_alarm({resource_limit, memory, node()}).');
  }
  await start();
  await arrived(acknowledged);
});

test('a second one on the same directory says so and takes nothing into it, until the first is gone (F53)', async () => {
  const first = await start({ AMQP_URL: NO_BROKER });
  await ready(first);
  const second = await start({ AMQP_URL: NO_BROKER });
  const id = randomUUID();
  const refused = await second.post(pull(id));
  expect(refused).toMatchObject({ status: 503, json: { detail: expect.stringContaining('in use') as string } });
  expect(JSON.stringify(refused.json)).not.toContain(root.path);
  const { status, checks } = await second.readiness();
  expect(status).toBe(503);
  expect(checks['spool']).toBe(
    `The spool ${spool} is in use by process ${first.child.pid}: give each process its own SPOOL_DIR`,
  );
  expect(second.output()).toContain('give each process its own SPOOL_DIR');
  expect(await first.post(pull(id))).toMatchObject({ status: 202 });

  first.child.kill('SIGKILL');
  await ready(second);
  expect(await second.metric('weir_spool_events')).toBe(1);
  expect((await readdir(spool)).filter((name) => name.endsWith('.spool'))).toHaveLength(1);
});

test('a broker that blocks publishers is named in the readiness, which stays, until the alarm is over', async () => {
  const ingest = await start();
  await until(async () => (await ingest.readiness()).checks['rabbitmq'] === true);
  await ingest.post(pull(randomUUID()));
  await broker.evaluate('vm_memory_monitor:set_vm_memory_high_watermark(0.0001).');
  try {
    // The broker tells it to a connection that publishes, at the first thing that it publishes then.
    await until(async () => {
      await ingest.post(pull(randomUUID()));
      return (await ingest.readiness()).checks['rabbitmq'] === 'the broker blocks publishers';
    });
    expect(await ingest.readiness()).toMatchObject({ status: 200, checks: { 'keeping events': true, spool: true } });
  } finally {
    await broker.evaluate('vm_memory_monitor:set_vm_memory_high_watermark(0.4).');
  }
  await until(async () => (await ingest.readiness()).checks['rabbitmq'] === true);
});
