import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type App } from '@weir/testing';
import { barePublish, messageOf, type Message } from '../bare-publish';
import type { Bench, Case } from '../case';
import { pullOf } from '../events';
import { inTurn, measured, type Measured } from '../measure';
import { createLoad, type Load } from '../post';
import { alone, atLeast, compared, type Row } from '../row';

const BATCH = 100;
/** Different bodies, posted in turn. */
const BODIES = 100;
const CLIENTS = 8;
const SECONDS = { warm: 2, measured: 3, disk: 2 };
const KEY = 'bench';
const SPOOL_BYTES = String(16 * 1024 ** 3);
const NO_BROKER = 'amqp://127.0.0.1:1';

/** POST /events in batches of 100, every event checked, redacted and kept before the 202: by the broker, or by the disk. */
export const ingest: Case = {
  name: 'ingest',
  async run(bench) {
    const events = Array.from({ length: BODIES * BATCH }, (_, n) => pullOf(n));
    const batches = Array.from({ length: BODIES }, (_, n) => events.slice(n * BATCH, (n + 1) * BATCH));
    const load = await createLoad({
      dir: bench.dir,
      path: bench.path,
      bodies: batches.map((batch) => JSON.stringify(batch)),
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/cloudevents-batch+json' },
    });
    const messages = events.map(messageOf);
    return [...(await withBroker(bench, load, messages)), ...(await withoutBroker(bench, load, messages))];
  },
};

async function withBroker(bench: Bench, load: Load, messages: readonly Message[]): Promise<Row[]> {
  const bare = await barePublish(bench, 'ingest');
  const app = await startIngest(bench, bare.amqp);
  await load.post(app.url, { clients: CLIENTS, seconds: SECONDS.warm });
  await bare.publish(messages, CLIENTS * BATCH);
  const rates = await inTurn(
    bench.rounds,
    {
      bare: async () => {
        await bare.purge();
        return ratePer(SECONDS.measured, messages.length, () => bare.publish(messages, CLIENTS * BATCH));
      },
      ingest: async () => {
        await bare.purge();
        return app.post(load, CLIENTS);
      },
    },
    bench.progress,
  );
  await bare.purge();
  return [
    compared({
      name: `ingest: batches of ${BATCH}, broker up, against bare confirmed publish`,
      unit: 'events/s',
      value: rates.ingest,
      limit: rates.bare,
      target: atLeast(0.6),
      note: `${CLIENTS} clients, ${CLIENTS * BATCH} events unconfirmed at most`,
    }),
    app.cpuRow('broker up'),
  ];
}

async function withoutBroker(bench: Bench, load: Load, messages: readonly Message[]): Promise<Row[]> {
  const block = Buffer.concat(messages.slice(0, BATCH).map(({ body }) => body));
  const app = await startIngest(bench, NO_BROKER);
  const [express, fastify] = [await startPeer(bench, 'express'), await startPeer(bench, 'fastify')];
  await load.post(app.url, { clients: CLIENTS, seconds: SECONDS.warm });
  for (const peer of [express, fastify]) await load.post(peer, { clients: CLIENTS, seconds: SECONDS.warm });
  const of = (peer: string) => async () =>
    BATCH * (await load.post(peer, { clients: CLIENTS, seconds: SECONDS.measured }));
  const rates = await inTurn(
    bench.rounds,
    {
      disk: () => append(bench.dir, block, CLIENTS),
      ingest: () => app.post(load, CLIENTS),
      oneDisk: () => append(bench.dir, block, 1),
      oneClient: () => app.post(load, 1),
      express: of(express),
      fastify: of(fastify),
    },
    bench.progress,
  );
  const against = (name: string, value: Measured, limit: Measured, note: string, target?: number): Row =>
    compared({
      name,
      unit: 'events/s',
      value,
      limit,
      note,
      ...(target === undefined ? {} : { target: atLeast(target) }),
    });
  return [
    against(
      `ingest: batches of ${BATCH}, broker down, against bare append and fdatasync of ${BATCH}`,
      rates.ingest,
      rates.disk,
      `${CLIENTS} clients, ${CLIENTS} appends at a time`,
      0.5,
    ),
    against(
      'ingest: the same, one after the other',
      rates.oneClient,
      rates.oneDisk,
      'one client, one append at a time',
    ),
    against(
      'ingest: the same, against Express that reads the JSON and keeps nothing',
      rates.ingest,
      rates.express,
      `${CLIENTS} clients`,
    ),
    against(
      'ingest: the same, against Fastify that reads the JSON and keeps nothing',
      rates.ingest,
      rates.fastify,
      `${CLIENTS} clients`,
    ),
    app.cpuRow('broker down'),
  ];
}

/** Ingest, ready for its load. */
async function startIngest(bench: Bench, amqp: string) {
  const port = await freePort();
  const app: App = await bench.app('ingest', {
    AMQP_URL: amqp,
    INGEST_PORT: String(port),
    INGEST_KEYS: `bench:${createHash('sha256').update(KEY).digest('hex')}`,
    SPOOL_DIR: join(bench.dir, `spool-${port}`),
    SPOOL_BYTES,
  });
  app.start();
  await app.ready();
  const url = `http://127.0.0.1:${port}/events`;
  const cpu: number[] = [];
  return {
    url,
    /** @returns events a second */
    async post(load: Load, clients: number): Promise<number> {
      const before = app.resources()?.cpuSeconds ?? NaN;
      const rate = BATCH * (await load.post(url, { clients, seconds: SECONDS.measured }));
      const spent = (app.resources()?.cpuSeconds ?? NaN) - before;
      cpu.push((spent / (rate * SECONDS.measured)) * 1e6);
      return rate;
    },
    cpuRow: (when: string): Row =>
      alone({ name: `ingest: processor time, ${when}`, unit: 'us/event', value: measured(cpu) }),
  };
}

async function startPeer({ path, onEnd }: Bench, name: 'express' | 'fastify'): Promise<string> {
  const child = spawn(process.execPath, [join(__dirname, `../peer-${name}.js`)], {
    env: { PATH: path, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onEnd(() => child.kill());
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return `http://127.0.0.1:${port.toString().trim()}/events`;
}

/** Events a second that so many appenders put into one file, each waiting for its own fdatasync. */
async function append(dir: string, block: Buffer, appenders: number): Promise<number> {
  const path = join(dir, 'bare');
  const file = await open(path, 'w');
  let end = 0;
  const one = async (handle: FileHandle): Promise<void> => {
    const position = end;
    end += block.length;
    await handle.write(block, 0, block.length, position);
    await handle.datasync();
  };
  try {
    const from = performance.now();
    const over = () => performance.now() - from > SECONDS.disk * 1000;
    let done = 0;
    await Promise.all(
      Array.from({ length: appenders }, async () => {
        for (; !over(); done += 1) await one(file);
      }),
    );
    return (done * BATCH) / ((performance.now() - from) / 1000);
  } finally {
    await file.close();
    await rm(path);
  }
}

/** A rate, over as many repetitions as take so long. */
async function ratePer(seconds: number, count: number, work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  let done = 0;
  do {
    await work();
    done += count;
  } while (performance.now() - from < seconds * 1000);
  return done / ((performance.now() - from) / 1000);
}
