import { startRedis, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { Redis } from 'ioredis';

/** Gives the tests of one file a Redis of their own, before the first of them; it is empty before each. */
export function giveRedis(take: (client: Redis) => void): void {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateServer;
  let client: Redis;
  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = await startRedis({ dir: directory.path });
    client = new Redis(server.url);
    take(client);
  });
  beforeEach(() => client.flushdb());
  afterAll(async () => {
    client.disconnect();
    await server.stop();
    await directory.remove();
  });
}
