import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startRedis, temporaryDirectory, until, type PrivateServer } from '@weir/testing';
import { Redis } from 'ioredis';
import pino from 'pino';
import { openRedis } from './redis';
import { createRoutes, type RoutesOptions } from './routes';

const log = pino({ level: 'silent' });
const accounts = [{ name: 'ada', passwordSha256: createHash('sha256').update('lovelace').digest() }];
export const authorization = `Basic ${Buffer.from('ada:lovelace').toString('base64')}`;

/** The read API before a real Redis, for the tests of one file. */
export interface TestApi {
  server: PrivateServer;
  /** Like the redis-worker's connection. */
  writing: Redis;
  /** The API's own connection. */
  reading: ReturnType<typeof openRedis>;
  /** Serves these queries until the test is over. Resolves with the address. */
  serve(what: Pick<RoutesOptions, 'queries' | 'uniques'>): Promise<string>;
}

/** Gives the tests of one file their API, before the first of them. */
export function giveApi(take: (api: TestApi) => void): void {
  const servers: Server[] = [];
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let api: TestApi;

  async function serve(what: Pick<RoutesOptions, 'queries' | 'uniques'>): Promise<string> {
    const server = createServer(createRoutes({ ...what, accounts, log }));
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  beforeAll(async () => {
    directory = await temporaryDirectory();
    const server = await startRedis({ dir: directory.path });
    const writing = new Redis(server.url);
    writing.on('error', () => {});
    const reading = openRedis({ url: server.url, log });
    await until(async () => (await reading.ready()) === true);
    api = { server, writing, reading, serve };
    take(api);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });
  afterAll(async () => {
    api.writing.disconnect();
    api.reading.redis.disconnect();
    await api.server.stop();
    await directory.remove();
  });
}
