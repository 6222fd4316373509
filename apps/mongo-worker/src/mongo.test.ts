/**
 * The echo against the MongoDB of the test run: a real one when `WEIR_TEST_MONGODB_URL` or `MONGODB_URL` is given or
 * `mongod` is installed, else the stand-in. Tests about a server that goes away use stand-ins of their own.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createEvent, identityKey, type WeirEvent } from '@weir/events';
import { readConfig, type Config } from '@weir/service';
import { describeWorker, startMongoStandIn, testServers } from '@weir/testing';
import type { Worker } from '@weir/worker';
import { MongoClient, type Collection, type Document } from 'mongodb';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { mongoWorker } from './mongo';

const log = pino({ level: 'silent' });
let url: string;
let client: MongoClient;
const databases: string[] = [];
const closing: Array<() => Promise<unknown>> = [];

beforeAll(async () => {
  url = process.env['MONGODB_URL'] || (await testServers().mongodb());
  client = await MongoClient.connect(url);
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  for (const name of databases) await client.db(name).dropDatabase();
  await client.close();
});

interface Store {
  config: Config<typeof mongoWorker.variables>;
  worker: Worker;
  events: Collection<Document & { _id: string }>;
}

/** A worker on a database of its own, connected unless `env` says otherwise. */
function workerOn(env: Record<string, string> = {}): Store {
  const database = env['MONGODB_DATABASE'] ?? `weir_test_${randomUUID().slice(0, 8)}`;
  databases.push(database);
  const config = readConfig(mongoWorker.variables, { MONGODB_URL: url, MONGODB_DATABASE: database, ...env });
  const worker = mongoWorker.create(config, { log, metrics: new Registry() });
  closing.push(() => worker.close());
  return { config, worker, events: client.db(database).collection(config.MONGODB_COLLECTION) };
}

async function connectedWorker(env?: Record<string, string>): Promise<Store> {
  const store = workerOn(env);
  await store.worker.connect();
  return store;
}

const pull = (data: object = {}, id?: string): WeirEvent =>
  createEvent(
    'io.weir.pull',
    { repository: 'library/alpine', tag: '3.20', ...data },
    { source: '/test', ...(id ? { id } : {}) },
  );

describeWorker(mongoWorker, async () => {
  const path = await doorTo(url);
  const { config, events } = workerOn({ MONGODB_URL: path.url });
  return {
    config,
    server: path,
    count: () => events.countDocuments(),
    unacceptable: pull({ 'a\0b': 'BSON ends a name at a zero byte' }),
    close: path.stop,
  };
});

describe('the echo', () => {
  test('keeps each event as it came, under its identity', async () => {
    const { worker, events } = await connectedWorker();
    const event: WeirEvent = {
      ...createEvent(
        'com.example.unknown',
        { 'a.b': 1, $set: { x: 1 }, $where: 'sleep(1)', '': [null, true, 1.5, 'ü'] },
        {
          source: '/test',
          time: new Date('2026-11-22T23:59:59.999Z'),
          subject: 'a/b',
        },
      ),
      traceparent: '00-1-2-01',
    };
    const before = Date.now();
    expect(await worker.write([event])).toEqual([]);
    const [document, ...others] = await events.find().toArray();
    expect(others).toEqual([]);
    expect(document).toEqual({
      _id: identityKey(event),
      receivedAt: expect.any(Date) as Date,
      time: new Date('2026-11-22T23:59:59.999Z'),
      type: 'com.example.unknown',
      source: '/test',
      event,
    });
    expect((document!['receivedAt'] as Date).getTime()).toBeGreaterThanOrEqual(before);
  });

  test('one identity is one document: twice in a batch, again in the next, and with another payload', async () => {
    const { worker, events } = await connectedWorker();
    const [first, other] = [pull({ tag: 'first' }, 'one'), pull({}, 'two')];
    expect(await worker.write([first, first, other])).toEqual([]);
    expect(await worker.write([pull({ tag: 'second' }, 'one'), pull({}, 'three'), other])).toEqual([]);
    expect(await events.countDocuments()).toBe(3);
    expect(await events.findOne({ _id: identityKey(first) })).toMatchObject({ event: { data: { tag: 'first' } } });
  });

  test('names that mean something to BSON, MongoDB or JavaScript are data', async () => {
    const { worker, events } = await connectedWorker();
    const data = JSON.parse(
      '{"_bsontype":"ObjectId","id":"x","nested":[{"_bsontype":"Nonsense"}],"$oid":"1","_id":{"$gt":""},"__proto__":{"a":1},"toBSON":1,"constructor":{"prototype":2},"length":-1}',
    ) as object;
    const event = createEvent('com.example.odd', data, { source: '/test' });
    expect(await worker.write([event])).toEqual([]);
    const [document] = await events.find().toArray();
    expect(JSON.parse(JSON.stringify(document!['event']))).toEqual(JSON.parse(JSON.stringify(event)));
    expect(Object.keys((document!['event'] as WeirEvent).data)).toContain('__proto__');
    expect(await events.findOne({ 'event.data.repository': { $exists: true } })).toBeNull();
  });

  test.each<[string, object, RegExp]>([
    ['is larger than MongoDB takes', { text: 'x'.repeat(16 * 1024 * 1024) }, /larger than the maximum size/],
    ['has a name that BSON cannot hold', { 'a\0b': 1 }, /null bytes/],
    ['is nested too deep for MongoDB', nested(250), /nest|depth/i],
    ['is nested too deep for anything', nested(20_000), /stack/i],
  ])(
    'an event that %s is refused with a reason, and the rest of its batch goes through',
    async (_what, data, reason) => {
      const { worker, events } = await connectedWorker();
      const bad = createEvent('com.example.bad', data, { source: '/test' });
      const good = Array.from({ length: 6 }, () => pull());
      const refused = await worker.write([...good.slice(0, 4), bad, ...good.slice(4)]);
      expect(refused).toEqual([{ event: bad, reason: expect.stringMatching(reason) as string }]);
      expect(await events.distinct('_id')).toEqual(expect.arrayContaining(good.map(identityKey)));
      expect(await events.countDocuments()).toBe(6);
    },
  );

  test('a document that an index of the operator refuses is refused; the same event again is not', async () => {
    const { worker, events } = await connectedWorker();
    await events.createIndex({ 'event.data.tag': 1 }, { unique: true });
    const first = pull({ tag: 'a' });
    const second = pull({ tag: 'a' });
    expect(await worker.write([first, second, first])).toEqual([
      { event: second, reason: expect.stringContaining('event.data.tag') as string },
    ]);
  });

  test('10,000 events in one batch, some of them twice, are 10,000 documents', async () => {
    const { worker, events } = await connectedWorker();
    const batch = Array.from({ length: 10_000 }, (_, index) => pull({ index }));
    expect(await worker.write([...batch, ...batch.slice(0, 500)])).toEqual([]);
    expect(await events.countDocuments()).toBe(10_000);
  });
});

describe('retention', () => {
  const ttlOf = async (events: Store['events']) =>
    (await events.indexes())
      .filter(({ key }) => 'receivedAt' in key)
      .map(({ expireAfterSeconds }) => expireAfterSeconds as number);

  test('is a TTL index on the time of receipt, which follows the configuration', async () => {
    const { events } = await connectedWorker({ MONGODB_RETENTION_DAYS: '7' });
    const MONGODB_DATABASE = events.dbName;
    expect(await ttlOf(events)).toEqual([7 * 86_400]);
    await connectedWorker({ MONGODB_DATABASE, MONGODB_RETENTION_DAYS: '7' });
    await connectedWorker({ MONGODB_DATABASE, MONGODB_RETENTION_DAYS: '2' });
    expect(await ttlOf(events)).toEqual([2 * 86_400]);
    await connectedWorker({ MONGODB_DATABASE, MONGODB_RETENTION_DAYS: '0' });
    expect(await ttlOf(events)).toEqual([]);
  });

  test('0 on a new database makes no index and is no error', async () => {
    const { worker, events } = await connectedWorker({ MONGODB_RETENTION_DAYS: '0' });
    expect(await worker.write([pull()])).toEqual([]);
    expect(await ttlOf(events)).toEqual([]);
  });
});

/** The driver first finds its old connections dead; then it logs in anew. */
async function untilRefused(write: () => Promise<unknown>): Promise<string> {
  const first = await failureOf(write());
  return /closed|ECONN|EPIPE/.test(first) ? failureOf(write()) : first;
}

describe('a store that is not there', () => {
  test('a wrong password is said so, without the password', async () => {
    const guarded = await startMongoStandIn({ user: 'weir', password: 'right' });
    closing.push(() => guarded.stop());
    const { worker } = workerOn({ MONGODB_URL: guarded.url.replace('right', 's3cret%2Fword') });
    const message = await failureOf(worker.connect());
    expect(message).toMatch(/127\.0\.0\.1:\d+ refuses the user or the password of MONGODB_URL/);
    expect(message).not.toMatch(/s3cret/);
  });

  test('a password that is changed while the worker runs is said so, too', async () => {
    const first = await startMongoStandIn({ user: 'weir', password: 's3cret' });
    const { worker } = await connectedWorker({ MONGODB_URL: first.url });
    expect(await worker.write([pull()])).toEqual([]);
    await first.stop();
    const changed = await startMongoStandIn({ user: 'weir', password: 'another', port: first.port });
    closing.push(() => changed.stop());
    const refusal = await untilRefused(() => worker.write([pull()]) as Promise<unknown>);
    expect(refusal).toMatch(/127\.0\.0\.1:\d+ refuses the user or the password of MONGODB_URL/);
    expect(refusal).not.toMatch(/s3cret|another/);
  });

  test('a port where nobody listens fails in bounded time, with the address', async () => {
    const { worker } = workerOn({ MONGODB_URL: 'mongodb://weir:s3cret@127.0.0.1:1' });
    const message = await failureOf(worker.connect());
    expect(message).toMatch(/no usable MongoDB at 127\.0\.0\.1:1 within 5 s \(MONGODB_URL\): .*ECONNREFUSED/);
    expect(message).not.toMatch(/s3cret/);
  });

  test('so does a server that accepts and never answers', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const address = silent.address() as { port: number };
    const { worker } = workerOn({ MONGODB_URL: `mongodb://127.0.0.1:${address.port}` });
    expect(await failureOf(worker.connect())).toContain(`no usable MongoDB at 127.0.0.1:${address.port}`);
  });

  test('a write while the store is gone throws, and the same batch succeeds when it is back', async () => {
    const first = await startMongoStandIn();
    const { worker } = await connectedWorker({ MONGODB_URL: first.url, MONGODB_DATABASE: 'weir_back' });
    const batch = [pull(), pull()];
    expect(await worker.write(batch.slice(0, 1))).toEqual([]);
    await first.stop();
    await failureOf(worker.write(batch) as Promise<unknown>);
    const again = await startMongoStandIn({ port: first.port });
    closing.push(() => again.stop());
    expect(await worker.write(batch)).toEqual([]);
    const after = await MongoClient.connect(again.url);
    closing.unshift(() => after.close());
    expect(await after.db('weir_back').collection('events').countDocuments()).toBe(2);
  });

  test.each<[string, object]>([
    ['the primary steps down', { errorCode: 189 }],
    ['the server is no primary any more', { errorCode: 10107 }],
    ['the server shuts down', { errorCode: 91 }],
    ['the user may no longer write', { errorCode: 13 }],
    [
      'no majority has it within the time',
      { writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } },
    ],
    ['the connection is cut', { closeConnection: true }],
  ])('a write throws when %s, and the same batch succeeds later, each event once', async (_what, failure) => {
    const own = await startMongoStandIn();
    closing.push(() => own.stop());
    const { worker } = await connectedWorker({ MONGODB_URL: own.url, MONGODB_DATABASE: 'weir_fails' });
    const admin = await MongoClient.connect(own.url);
    closing.unshift(() => admin.close());
    const stored = pull();
    await worker.write([stored]);
    await admin.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: { times: 1 },
      data: { failCommands: ['insert'], ...failure },
    });
    const batch = [stored, pull(), pull()];
    await failureOf(worker.write(batch) as Promise<unknown>);
    expect(await worker.write(batch)).toEqual([]);
    expect(await admin.db('weir_fails').collection('events').countDocuments()).toBe(3);
  });

  test('a probe leaves nothing, fails while the store is gone, and succeeds when it is back', async () => {
    const first = await startMongoStandIn();
    const { worker } = await connectedWorker({ MONGODB_URL: first.url, MONGODB_DATABASE: 'weir_probe' });
    await worker.probe?.();
    await first.stop();
    await failureOf(worker.probe?.() as Promise<unknown>);
    const again = await startMongoStandIn({ port: first.port });
    closing.push(() => again.stop());
    await worker.probe?.();
    const admin = await MongoClient.connect(again.url);
    closing.unshift(() => admin.close());
    expect(await admin.db('weir_probe').collection('events').countDocuments()).toBe(0);
  });

  test('a store that is full for now is tried again, not given up', async () => {
    const small = await startMongoStandIn({ maxDocuments: 1 });
    closing.push(() => small.stop());
    const { worker } = await connectedWorker({ MONGODB_URL: small.url });
    expect(await failureOf(worker.write([pull(), pull()]) as Promise<unknown>)).toContain('full');
  });
});

describe('configuration', () => {
  const problemsOf = (env: Record<string, string>): string => {
    try {
      readConfig(mongoWorker.variables, env);
      return '';
    } catch (error) {
      return JSON.stringify(error, Object.getOwnPropertyNames(error));
    }
  };

  test('has defaults', () => {
    expect(readConfig(mongoWorker.variables, {})).toEqual({
      MONGODB_URL: 'mongodb://127.0.0.1:27017',
      MONGODB_DATABASE: 'weir',
      MONGODB_COLLECTION: 'events',
      MONGODB_RETENTION_DAYS: 30,
    });
  });

  test.each([
    ['MONGODB_URL', 'http://127.0.0.1', 'mongodb://'],
    ['MONGODB_URL', 'mongodb://weir:s3c:ret@127.0.0.1:27017', 'Password contains unescaped'],
    ['MONGODB_URL', 'mongodb://weir:s3cret@127.0.0.1:27017/?nonsense=1', 'nonsense'],
    ['MONGODB_URL', 'mongodb://weir:s3cret@127.0.0.1:99999', 'must be a URL'],
    ['MONGODB_DATABASE', 'a b', 'must be a database name'],
    ['MONGODB_COLLECTION', 'system.users', 'must be a collection name'],
    ['MONGODB_RETENTION_DAYS', '-1', '0 to 10000'],
  ])('%s=%s is a mistake that is named', (name, value, explained) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toContain(name);
    expect(problems).toContain(explained);
    expect(problems).not.toMatch(/s3c/);
  });
});

/**
 * A way to the server that can be shut and opened again, so that a store "goes down" without touching one that is not
 * ours to stop. One server, not a replica set, which would tell the driver its own addresses.
 */
async function doorTo(target: string): Promise<{ url: string; stop(): Promise<void>; start(): Promise<void> }> {
  const [host = '', port = '27017'] = new MongoClient(target).options.hosts.map(String)[0]?.split(':') ?? [];
  const open = new Set<Socket>();
  const door = createServer((near) => {
    const far = connect(Number(port), host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on('error', () => one.destroy()).on('close', () => (open.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  const own = (door.address() as { port: number }).port;
  return {
    url: target.replace(`${host}:${port}`, `127.0.0.1:${own}`),
    async stop() {
      door.close();
      for (const socket of open) socket.destroy();
    },
    async start() {
      door.listen(own, '127.0.0.1');
      await once(door, 'listening');
    },
  };
}

function nested(levels: number): object {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { d: value };
  return value;
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => {
      throw new Error('did not fail');
    },
    (error: unknown) => (error as Error).message,
  );
}
