/** What is the stand-in's own: logging in, what it keeps through a crash, its bounds, how it refuses. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MongoClient, MongoServerError } from 'mongodb';
import { startMongoStandIn, type MongoStandIn, type MongoStandInOptions } from './index';

const cleanUps: Array<() => unknown> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function started(options: MongoStandInOptions = {}): Promise<MongoStandIn> {
  const standIn = await startMongoStandIn(options);
  cleanUps.push(() => standIn.stop());
  return standIn;
}

async function connected(url: string): Promise<MongoClient> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000 });
  cleanUps.push(() => client.close());
  return client.connect();
}

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'weir-stand-in-'));
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const things = (client: MongoClient) =>
  client.db('test').collection<{ _id: number | string; at?: Date; n?: number }>('things');
const journalIn = (dir: string) => join(dir, 'stand-in.journal');

describe('logging in', () => {
  const account = { user: 'wéir', password: 'p@ss/word:ü' };

  test('works with the user and the password, and nothing works without', async () => {
    const { url, port } = await started(account);
    expect(await things(await connected(url)).insertOne({ _id: 1 })).toMatchObject({ acknowledged: true });
    const stranger = await connected(`mongodb://127.0.0.1:${port}`);
    await expect(things(stranger).find().toArray()).rejects.toMatchObject({ code: 13, codeName: 'Unauthorized' });
    await expect(stranger.db().command({ ping: 1 })).resolves.toMatchObject({ ok: 1 });
  });

  test.each([
    ['a wrong password', 'w%C3%A9ir:wrong@', '?authSource=admin'],
    ['a wrong user', 'nobody:wrong@', '?authSource=admin'],
    ['another authSource', 'w%C3%A9ir:p%40ss%2Fword%3A%C3%BC@', 'other'],
  ])('is refused with %s', async (_what, credentials, rest) => {
    const { port } = await started(account);
    await expect(connected(`mongodb://${credentials}127.0.0.1:${port}/${rest}`)).rejects.toMatchObject({ code: 18 });
  });

  test('a user without a password is a mistake', async () => {
    await expect(startMongoStandIn({ user: 'weir' })).rejects.toThrow('both a user and a password');
  });
});

describe('keeping', () => {
  test('a restart gives back documents, changes, deletions, indexes and empty collections', async () => {
    const dir = directory();
    const first = await startMongoStandIn({ dir });
    const before = await connected(first.url);
    await things(before).createIndex({ n: 1 }, { unique: true, sparse: true });
    await things(before).insertMany([{ _id: 1, n: 1 }, { _id: 2, n: 2 }, { _id: 'three' }]);
    await things(before).updateOne({ _id: 1 }, { $set: { n: 7 } });
    await things(before).deleteOne({ _id: 2 });
    await before.db('test').createCollection('empty');
    await before.db('gone').collection('a').insertOne({ x: 1 });
    await before.db('gone').dropDatabase();
    await first.stop();

    const after = await connected((await started({ dir })).url);
    expect(await things(after).find().toArray()).toEqual([{ _id: 1, n: 7 }, { _id: 'three' }]);
    await expect(things(after).insertOne({ _id: 9, n: 7 })).rejects.toMatchObject({ code: 11000 });
    expect((await after.db('test').listCollections().toArray()).map(({ name }) => name)).toEqual(['things', 'empty']);
    expect((await after.db().admin().listDatabases()).databases.map(({ name }) => name)).toEqual(['test']);
  });

  test('cuts off a torn last record and goes on after it', async () => {
    const dir = directory();
    const first = await startMongoStandIn({ dir });
    await things(await connected(first.url)).insertMany([{ _id: 1 }, { _id: 2 }]);
    await first.stop();
    const whole = statSync(journalIn(dir)).size;
    appendFileSync(journalIn(dir), Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 112]));

    const second = await startMongoStandIn({ dir });
    expect(statSync(journalIn(dir)).size).toBe(whole);
    await things(await connected(second.url)).insertOne({ _id: 3 });
    await second.stop();
    expect(await things(await connected((await started({ dir })).url)).distinct('_id')).toEqual([1, 2, 3]);
  });

  test('writes a journal that is mostly history anew', async () => {
    const dir = directory();
    const first = await startMongoStandIn({ dir });
    const client = await connected(first.url);
    await things(client).insertMany(Array.from({ length: 2_000 }, (_, index) => ({ _id: index })));
    await things(client).deleteMany({ _id: { $gte: 10 } });
    await first.stop();
    const before = statSync(journalIn(dir)).size;

    const second = await startMongoStandIn({ dir });
    expect(statSync(journalIn(dir)).size).toBeLessThan(before / 10);
    await second.stop();
    expect(await things(await connected((await started({ dir })).url)).countDocuments()).toBe(10);
  });

  test('a directory that cannot be one is an error at the start', async () => {
    const file = join(directory(), 'file');
    writeFileSync(file, '');
    await expect(startMongoStandIn({ dir: file })).rejects.toThrow('EEXIST');
  });
});

describe('the process', () => {
  /** main.ts as a process of its own. */
  async function run(args: string[]): Promise<{ child: ChildProcess; firstLine: string; url: string }> {
    const child = spawn(
      process.execPath,
      ['--require', join(__dirname, '../source.js'), join(__dirname, 'main.ts'), ...args],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    cleanUps.push(() => child.kill('SIGKILL'));
    const [firstLine] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    return { child, firstLine, url: /mongodb:\S+/.exec(firstLine)?.[0] ?? '' };
  }

  test('says what it is, keeps every acknowledged document through kill -9, and stops on SIGTERM', async () => {
    const dir = directory();
    const first = await run(['--dir', dir]);
    expect(first.firstLine).toContain('a stand-in for MongoDB, for tests and the quick start only');
    const writer = await connected(first.url);
    let acknowledged = 0;
    const writing = (async () => {
      for (let batch = 0; ; batch++) {
        await things(writer).insertMany(Array.from({ length: 100 }, (_, index) => ({ _id: batch * 100 + index })));
        acknowledged += 100;
      }
    })().catch(() => undefined);
    while (acknowledged < 5_000) await new Promise(setImmediate);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await writer.close();
    await writing;

    const second = await run(['--dir', dir]);
    const ids = (await things(await connected(second.url)).distinct('_id')) as number[];
    expect(ids.filter((id) => id < acknowledged)).toHaveLength(acknowledged);
    second.child.kill('SIGTERM');
    expect((await once(second.child, 'exit'))[0]).toBe(0);
  });
});

describe('its bounds', () => {
  test('refuses documents beyond maxDocuments, and takes new ones when old ones are deleted', async () => {
    const client = await connected((await started({ maxDocuments: 3 })).url);
    const insert = things(client).insertMany(
      Array.from({ length: 5 }, (_, index) => ({ _id: index })),
      { ordered: false },
    );
    const error: unknown = await insert.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MongoServerError);
    expect(error).toMatchObject({ code: 14031, insertedCount: 3, message: expect.stringContaining('maxDocuments') });
    await things(client).deleteOne({ _id: 0 });
    await things(client).insertOne({ _id: 9 });
    expect(await things(client).countDocuments()).toBe(3);
  });

  test('refuses documents beyond maxBytes', async () => {
    const client = await connected((await started({ maxBytes: 1_000 })).url);
    await expect(
      client
        .db('test')
        .collection('t')
        .insertOne({ text: 'x'.repeat(1_000) }),
    ).rejects.toMatchObject({ code: 14031 });
  });

  test('deletes what a TTL index says, and only that; collMod takes effect on what is there', async () => {
    const client = await connected((await started({ ttlIntervalMs: 20 })).url);
    await things(client).createIndex({ at: 1 }, { expireAfterSeconds: 3_600 });
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await things(client).insertMany([
      { _id: 1, at: minutesAgo(61) },
      { _id: 2, at: minutesAgo(30) },
      { _id: 3 },
      { _id: 4, at: minutesAgo(1) },
    ]);
    await until(async () => (await things(client).countDocuments()) === 3);
    expect(await things(client).distinct('_id')).toEqual([2, 3, 4]);
    await client.db('test').command({ collMod: 'things', index: { name: 'at_1', expireAfterSeconds: 600 } });
    await until(async () => (await things(client).countDocuments()) === 2);
    expect(await things(client).distinct('_id')).toEqual([3, 4]);
  });

  test('serves loopback only', async () => {
    await expect(startMongoStandIn({ host: '0.0.0.0' })).rejects.toThrow('loopback only');
  });

  test('a port that is taken is an error', async () => {
    const { port } = await started();
    await expect(startMongoStandIn({ port })).rejects.toThrow('EADDRINUSE');
  });

  test.each([
    ['a length that no message has', Buffer.from([255, 255, 255, 127, ...Buffer.alloc(12)])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ])('closes a connection that sends %s, and serves the others', async (_what, bytes) => {
    const { port, url } = await started();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(bytes);
    await once(socket.resume(), 'close');
    expect(await things(await connected(url)).insertOne({ _id: 1 })).toMatchObject({ acknowledged: true });
  });

  test('answers a broken document with an error and goes on', async () => {
    const { port } = await started();
    const socket = connect(port, '127.0.0.1');
    cleanUps.push(() => socket.destroy());
    // OP_MSG with one section that claims a document of 100 bytes.
    const message = Buffer.alloc(26);
    message.writeInt32LE(26, 0);
    message.writeInt32LE(7, 4);
    message.writeInt32LE(2013, 12);
    message.writeInt32LE(100, 21);
    socket.write(message);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.readInt32LE(8)).toBe(7);
    expect(answer.toString('latin1')).toContain('InvalidBSON');
    socket.write(message);
    await once(socket, 'data');
  });
});

describe('failing on purpose', () => {
  test('failCommand makes the next commands of a name fail, as often as asked', async () => {
    const client = await connected((await started()).url);
    const fail = (data: object) =>
      client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['insert'], ...data },
      });
    await fail({ errorCode: 189 });
    await expect(things(client).insertOne({ _id: 1 })).rejects.toMatchObject({ code: 189 });
    expect(await things(client).countDocuments()).toBe(0);
    await things(client).insertOne({ _id: 1 });
    await fail({ writeConcernError: { code: 64, errmsg: 'timed out' } });
    await expect(things(client).insertOne({ _id: 2 })).rejects.toMatchObject({ code: 64 });
    expect(await things(client).countDocuments()).toBe(2);
    await fail({ closeConnection: true });
    await expect(things(client).insertOne({ _id: 3 })).rejects.toThrow('closed');
    await things(client).insertOne({ _id: 3 });
  });
});

describe('what it does not do', () => {
  test.each([
    ['a change stream', { aggregate: 'things', pipeline: [{ $changeStream: {} }], cursor: {} }, '$changeStream'],
    ['$out', { aggregate: 'things', pipeline: [{ $out: 'other' }], cursor: {} }, '$out'],
    ['JavaScript in a filter', { find: 'things', filter: { $where: 'true' } }, '$where'],
    ['a transaction', { find: 'things', filter: {}, startTransaction: true }, 'replica set'],
    ['a text index', { createIndexes: 'things', indexes: [{ key: { a: 'text' }, name: 'a_text' }] }, "'text'"],
    ['a capped collection', { create: 'capped', capped: true, size: 1_000 }, "'capped'"],
    ['any other command', { mapReduce: 'things' }, 'stand-in for MongoDB'],
  ])('%s is refused by name', async (_what, command, named) => {
    const client = await connected((await started()).url);
    await things(client).insertOne({ _id: 1 });
    await expect(client.db('test').command(command)).rejects.toThrow(named);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; ;) {
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error('waited 10 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
