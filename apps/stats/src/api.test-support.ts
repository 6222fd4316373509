import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startRedis, temporaryDirectory, until, type PrivateServer } from '@weir/testing';
import { createCubes, createFlow, createQueries, createUniques } from '@weir/usage';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { Account } from './accounts';
import { createMetrics } from './metrics';
import { openRedis } from './redis';
import { createRoutes, type RoutesOptions } from './routes';
import { createOpenApi } from './v1/openapi';
import { createTurns } from './v1/turns';

/** What a test says of its own; the rest is as in earnest, on keys of the prefix. */
export type Served = Partial<Omit<RoutesOptions, 'v1'>> & { v1?: Partial<RoutesOptions['v1']>; prefix?: string };

const log = pino({ level: 'silent' });
const sha256 = (text: string) => createHash('sha256').update(text).digest();
/** `ada` may see all, `grace` the numbers of acme.example only; by a password or a key each. */
const accounts: Account[] = [
  { name: 'ada', passwordSha256: sha256('lovelace') },
  { name: 'grace', passwordSha256: sha256('hopper'), organization: 'acme.example' },
  { name: 'acme', keySha256: sha256('a-key-of-acme-and-no-other'), organization: 'acme.example' },
];
const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;
export const authorization = basic('ada:lovelace');
/** Credentials of acme.example. */
export const scoped = { password: basic('grace:hopper'), key: 'Bearer a-key-of-acme-and-no-other' };

/** The read API before a real Redis, for the tests of one file. */
export interface TestApi {
  server: PrivateServer;
  /** Like the redis-worker's connection. */
  writing: Redis;
  /** The API's own connection. */
  reading: ReturnType<typeof openRedis>;
  /** Serves these queries until the test is over. Resolves with the address. */
  serve(what: Served): Promise<string>;
}

/** Gives the tests of one file their API, before the first of them. */
export function giveApi(take: (api: TestApi) => void): void {
  const servers: Server[] = [];
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let api: TestApi;

  async function serve(what: Served): Promise<string> {
    const at = { redis: api.reading.redis, prefix: what.prefix ?? '' };
    const turns = createTurns(32);
    const v1 = {
      cubes: createCubes(at),
      flow: createFlow(at),
      turns,
      metrics: createMetrics([new Registry()], turns.taken),
    };
    const options: RoutesOptions = {
      queries: createQueries(at),
      uniques: createUniques({ ...at, keepDays: 400 }),
      openApi: createOpenApi('0.0.0'),
      origins: [],
      accounts,
      log,
      ...what,
      v1: { ...v1, ...what.v1 },
    };
    const server = createServer(createRoutes(options));
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
