import { MongoClient } from 'mongodb';
import { processesOf } from './leftovers.test-support';
import { startMongodb } from './mongodb';
import type { PrivateServer } from './server';
import { temporaryDirectory } from './temporary';

describe('a private MongoDB, or its stand-in', () => {
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateServer;

  beforeAll(async () => {
    dir = await temporaryDirectory();
    server = await startMongodb({ dir: dir.path });
  });
  afterAll(async () => {
    await server.stop();
    await dir.remove();
  });

  it('keeps an acknowledged document through a crash', async () => {
    await withClient(server.url, async (client) => {
      await client
        .db('weir')
        .collection('events')
        .insertOne({ type: 'pull' }, { writeConcern: { w: 1, j: true } });
    });
    await server.kill();
    expect(processesOf(dir.path)).toEqual([]);
    await server.start();
    await withClient(server.url, async (client) => {
      expect(await client.db('weir').collection('events').findOne({ type: 'pull' })).not.toBeNull();
    });
  });

  it('lets nobody in without its password', async () => {
    const wrong = server.url.replace(/:[^:@]+@/, ':wrong@');
    await expect(withClient(wrong, (client) => client.db('weir').collection('events').findOne())).rejects.toThrow(
      /[Aa]uthentication failed/,
    );
  });

  it('says what it is', () => {
    if (server.found === 'stand-in') expect(server.note).toMatch(/stand-in .* not a MongoDB/);
    else expect(server.note).toMatch(/mongod/);
  });

  it('leaves no process when it is stopped', async () => {
    await server.stop();
    expect(processesOf(dir.path)).toEqual([]);
  });
});

async function withClient(url: string, body: (client: MongoClient) => Promise<unknown>): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000 });
  try {
    await body(client);
  } finally {
    await client.close();
  }
}
