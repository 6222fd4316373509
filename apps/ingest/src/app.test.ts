import { createHash, randomUUID } from 'node:crypto';
import { lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { declareTopology, queueOf } from '@weir/bus';
import { identityKey, type WeirEvent } from '@weir/events';
import { createHealth, readConfig, type Context } from '@weir/service';
import { isolated, temporaryDirectory, until, type Isolated } from '@weir/testing';
import { connect, type ChannelModel } from 'amqplib';
import pino from 'pino';
import { Registry } from 'prom-client';
import { start } from './app';
import { variables } from './config';

const KEY = 'secret';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const HASH = sha256(KEY);

let broker: Isolated;
let connection: ChannelModel;
let relay: Relay;
let spool: Awaited<ReturnType<typeof temporaryDirectory>>;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  broker = await isolated.amqp();
  relay = await relayTo(broker.url);
  spool = await temporaryDirectory();
  connection = await connect(broker.url);
  connection.on('error', () => {});
  // Before anybody looks into a queue: a quorum queue asked while it is being made ends the connection (541).
  const channel = await connection.createChannel();
  await declareTopology(channel);
  await channel.close();
});

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await connection.close();
  await relay.close();
  await broker.remove();
  await spool.remove();
});

describe('ingest', () => {
  test('answers 202 when the broker has the event, and the workers have it in their queues', async () => {
    const ingest = await running();
    await until(async () => (await ingest.post(pull('first'))).json['status'] === 'confirmed');
    const reply = await ingest.post([pull('a'), { type: 'io.weir.pull', data: {} }, pull('b')]);
    expect(reply).toMatchObject({ status: 202, json: { accepted: 2, refused: 1 } });
    for (const worker of ['redis', 'mongo']) await arrived(['first', 'a', 'b'], worker);
  });

  test('the same event posted twice is one identity for every store', async () => {
    const ingest = await running();
    await ingest.post(pull('twice'));
    await ingest.post(pull('twice'));
    const bare = { type: 'io.weir.view', data: { resource: 'file/1' } };
    await ingest.post(bare, { 'idempotency-key': 'once' });
    await ingest.post(bare, { 'idempotency-key': 'once' });
    const events: WeirEvent[] = [];
    await until(async () => events.push(...(await take(queueOf('redis')))) >= 4);
    expect(new Set(events.map(identityKey)).size).toBe(2);
  });

  test('starts and answers 202 with the broker down, and delivers when it is back', async () => {
    relay.cut();
    const ingest = await running();
    const ids = Array.from({ length: 50 }, () => randomUUID());
    for (const id of ids.slice(0, 10)) {
      expect(await ingest.post(pull(id))).toMatchObject({ status: 202, json: { id, status: 'spooled' } });
    }
    const batch = await ingest.post(ids.slice(10).map((id) => pull(id)));
    expect(batch).toMatchObject({ status: 202, json: { accepted: 40, refused: 0 } });
    expect(await ingest.readiness()).toMatchObject({ ready: true });

    relay.mend();
    expect(await arrived(ids)).toEqual(new Set(ids));
  });

  test('says in its readiness that the broker refuses its password, without it, and takes events all the same', async () => {
    const url = new URL(broker.url);
    url.password = 'not-the-password';
    const ingest = await running({ AMQP_URL: url.toString() });
    const refused = 'the broker refuses the user name or password of AMQP_URL';
    await until(async () => (await ingest.readiness()).checks['rabbitmq'] === refused);
    await until(async () => (await ingest.readiness()).checks['spool'] === true);
    expect(await ingest.readiness()).toEqual({
      ready: true,
      checks: { 'keeping events': true, spool: true, rabbitmq: refused },
    });
    expect(await ingest.post(pull('kept'))).toMatchObject({ status: 202, json: { status: 'spooled' } });
  });

  test('keeps what is in flight when the broker goes away in the middle', async () => {
    const ingest = await running();
    await until(async () => (await ingest.post(pull('first'))).json['status'] === 'confirmed');
    const ids = Array.from({ length: 40 }, () => randomUUID());
    const posts = ids.map(async (id, index) => {
      if (index === 20) relay.cut();
      return ingest.post(pull(id));
    });
    for (const reply of await Promise.all(posts)) expect(reply.status).toBe(202);
    relay.mend();
    await arrived(ids);
  });

  test('what was spooled before a restart is delivered after it', async () => {
    relay.cut();
    const first = await running();
    expect(await first.post(pull('kept'))).toMatchObject({ json: { status: 'spooled' } });
    await first.stop();
    relay.mend();
    await running();
    expect(await arrived(['kept'])).toEqual(new Set(['kept']));
  });

  test('answers 503 with Retry-After when the spool is full, says so in its readiness, and loses nothing it took', async () => {
    relay.cut();
    const ingest = await running({ SPOOL_BYTES: String(1024 * 1024) });
    const accepted: string[] = [];
    let full: Reply | undefined;
    for (let round = 0; round < 40 && !full; round += 1) {
      const ids = Array.from({ length: 5 }, () => randomUUID());
      const reply = await ingest.post(ids.map((id) => pull(id, 'x'.repeat(50_000))));
      for (const { id, status } of reply.json.results ?? []) if (status === 'spooled') accepted.push(String(id));
      if (reply.status !== 202) full = reply;
    }
    expect(full).toMatchObject({
      status: 503,
      json: { detail: expect.stringContaining('The spool is full') as string },
    });
    expect(full?.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await ingest.readiness()).toMatchObject({ ready: false });

    relay.mend();
    expect(await arrived(accepted)).toEqual(new Set(accepted));
    await until(async () => (await ingest.readiness()).ready);
  });

  test('keeps the spool to itself: folder 0700, files 0600', async () => {
    relay.cut();
    const ingest = await running();
    await ingest.post(pull('private'));
    expect((await stat(spool.path)).mode & 0o077).toBe(0);
    for (const name of await readdir(spool.path)) {
      const file = await stat(`${spool.path}/${name}`);
      if (name.endsWith('.spool')) expect(file.mode & 0o777).toBe(0o600);
    }
  });

  test('a flood while the broker is down stays within the quota, keeps what is oldest, and leaves the others their part (S26, S27)', async () => {
    relay.cut();
    const quota = 2 * 1024 * 1024;
    const keys = { flood: 'flood-key', quiet: 'quiet-key' };
    const ingest = await running({
      SPOOL_BYTES: String(quota),
      INGEST_KEYS: Object.entries(keys).map(([name, key]) => `${name}:${sha256(key)}`).join(','),
    }); // prettier-ignore
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    const accepted: string[] = [];
    const statuses = new Set<number>();
    const send = async (key: string, note = ''): Promise<number> => {
      const id = randomUUID();
      const reply = await ingest.post(pull(id, note), as(key));
      if (reply.status === 202) accepted.push(id);
      else expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      return reply.status;
    };
    await send(keys.flood);
    for (let round = 0; round < 10; round += 1) {
      const flood = Array.from({ length: 10 }, () => send(keys.flood, 'x'.repeat(50_000)));
      for (const status of await Promise.all(flood)) statuses.add(status);
    }
    expect(statuses).toEqual(new Set([202, 429]));
    expect(await send(keys.quiet)).toBe(202);
    expect(await bytesIn(spool.path)).toBeLessThanOrEqual(quota + 4096); // the lock is no event

    relay.mend();
    expect(await arrived(accepted)).toEqual(new Set(accepted));
    await until(async () => (await send(keys.flood)) === 202);
  });

  test('writes through no link that somebody has laid into its spool (S28)', async () => {
    relay.cut();
    const outside = await temporaryDirectory();
    const victim = join(outside.path, 'victim');
    await writeFile(victim, 'untouched', { mode: 0o644 });
    for (const number of [1, 2, 3])
      await symlink(victim, join(spool.path, `${String(number).padStart(16, '0')}.spool`));
    await symlink(victim, join(spool.path, 'lock'));
    const ingest = await running();
    for (const id of ['a', 'b', 'c']) expect(await ingest.post(pull(id))).toMatchObject({ status: 202 });
    relay.mend();
    await arrived(['a', 'b', 'c']);
    await ingest.stop();
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect((await lstat(victim)).mode & 0o777).toBe(0o644);
    await outside.remove();
  });

  test('reports every mistake in its configuration at once', () => {
    const env = { INGEST_PORT: '99999', INGEST_KEYS: 'a:b', AMQP_URL: 'http://x', SPOOL_BYTES: 'much' };
    expect(() => readConfig(variables, env)).toThrow(
      /5 mistakes[^]*INGEST_PORT[^]*INGEST_KEYS[^]*AMQP_URL[^]*SPOOL_DIR[^]*SPOOL_BYTES/,
    );
    expect(() => readConfig(variables, { SPOOL_DIR: '/tmp/x' })).toThrow(/INGEST_KEYS: is missing/);
  });
});

interface Reply {
  status: number;
  headers: Headers;
  json: Record<string, unknown> & { results?: Record<string, unknown>[] };
}

/** Ingest as `runApp` would run it, on a free port, with the relay as its broker. */
async function running(env: Record<string, string> = {}) {
  const config = readConfig(variables, {
    INGEST_PORT: '0', INGEST_KEYS: `test:${HASH}`, AMQP_URL: relay.url, SPOOL_DIR: spool.path, ...env,
  }); // prettier-ignore
  const health = createHealth();
  const releases: (() => unknown)[] = [];
  let port = 0;
  const log = pino(
    { level: 'info' },
    { write: (line: string) => (port ||= (JSON.parse(line) as { port?: number }).port ?? 0) },
  );
  const aborter = new AbortController();
  const context: Context = {
    name: 'ingest', version: '0', host: '127.0.0.1', log, metrics: new Registry(), health, signal: aborter.signal,
    onStop: (_what, release) => void releases.unshift(release),
    onReload: () => {},
  }; // prettier-ignore
  await start(config, context);
  const stop = async () => {
    for (const release of releases.splice(0)) await release();
  };
  stops.push(stop);
  const post = async (body: unknown, headers: Record<string, string> = {}): Promise<Reply> => {
    const response = await fetch(`http://127.0.0.1:${port}/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, json: (await response.json()) as Reply['json'] };
  };
  return { post, stop, readiness: () => health.readiness() };
}

function pull(id: string, note = ''): object {
  return {
    specversion: '1.0',
    id,
    source: '/test',
    type: 'io.weir.pull',
    time: new Date().toISOString(),
    data: { repository: 'a/b', note },
  };
}

/** Waits until all of these are in a worker's queue; gives all that were. */
async function arrived(ids: readonly string[], worker = 'redis'): Promise<Set<string>> {
  const seen = new Set<string>();
  await until(async () => {
    for (const { id } of await take(queueOf(worker))) seen.add(id);
    return ids.every((id) => seen.has(id));
  });
  return seen;
}

/** Everything in a queue. */
async function take(queue: string): Promise<WeirEvent[]> {
  const events: WeirEvent[] = [];
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (!message) return channel.close().then(() => events);
    events.push(JSON.parse(message.content.toString()) as WeirEvent);
  }
}

interface Relay {
  url: string;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Stands between ingest and the broker that all tests share, so that it can be down for one of them. */
async function relayTo(url: string): Promise<Relay> {
  const target = new URL(url);
  const open = new Set<Socket>();
  let whole = true;
  const server: Server = createServer((client) => {
    if (!whole) return void client.destroy();
    const upstream = connectTcp(Number(target.port), target.hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => (open.delete(socket), other.destroy()));
      socket.pipe(other);
    }
  }); // prettier-ignore
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  const cut = () => {
    whole = false;
    for (const socket of open) socket.destroy();
  };
  return {
    url: through.toString(),
    cut,
    mend: () => void (whole = true),
    close: () => (cut(), new Promise((resolve) => server.close(() => resolve()))),
  };
}

async function bytesIn(dir: string): Promise<number> {
  const sizes = (await readdir(dir)).map(async (name) => (await lstat(join(dir, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
