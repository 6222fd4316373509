import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startRedis, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { createCubes, type Cubes, type Description } from '@weir/usage';
import express, { type Router } from 'express';
import { Redis } from 'ioredis';
import pino from 'pino';
import { bucketKey, formatMember, latestKey } from '../../../../libs/usage/src/cube/keys';
import { descriptionsKey } from '../../../../libs/usage/src/cube/question';
import type { FindReader } from './plain';

export const authorization = `Basic ${Buffer.from('ada:lovelace').toString('base64')}`;
export const scoped = 'Bearer one-organization-only';

const readerOf: FindReader = (header) =>
  header === authorization ? {} : header === scoped ? { organization: 'acme.org' } : undefined;

/** What an event adds to a statistic. */
export interface Seen {
  time: string;
  measures: Readonly<Record<string, number>>;
  dimensions: Readonly<Record<string, string | undefined>>;
}

export interface PeersBench {
  redis: Redis;
  server: PrivateServer;
  /** Cubes over exactly this, and nothing else. */
  cubesOf(description: Description, seen: readonly Seen[]): Promise<Cubes>;
  /** Serves a peer until the test is over. Resolves with its address. */
  serve(path: string, create: (given: { readerOf: FindReader; log: pino.Logger }) => Router): Promise<string>;
}

/** Gives the tests of one file a Redis of their own and a place to serve a peer. */
export function givePeers(now: Date, take: (bench: PeersBench) => void): void {
  const servers: Server[] = [];
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateServer;
  let redis: Redis;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = await startRedis({ dir: directory.path });
    redis = new Redis(server.url, { enableOfflineQueue: false, retryStrategy: () => 50 });
    redis.on('error', () => {});
    await once(redis, 'ready');
    take({
      redis,
      server,
      async cubesOf(description, seen) {
        const prefix = `${randomUUID()}:`;
        await write(redis, prefix, description, seen);
        return createCubes({ redis, prefix, now: () => now });
      },
      async serve(path, create) {
        const app = express().set('query parser', false).set('etag', false);
        app.use(path, create({ readerOf, log: pino({ level: 'silent' }) }));
        const started = createServer(app);
        servers.push(started.listen(0, '127.0.0.1'));
        await once(started, 'listening');
        return `http://127.0.0.1:${(started.address() as AddressInfo).port}${path}`;
      },
    });
  });
  afterEach(() => {
    for (const each of servers.splice(0)) each.close().closeAllConnections();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
    await directory.remove();
  });
}

/** Writes what the redis-worker writes of these events. */
async function write(redis: Redis, prefix: string, description: Description, seen: readonly Seen[]): Promise<void> {
  const sums = new Map<string, number>();
  const commands: (string | number)[][] = [['hset', descriptionsKey(prefix), description.name, JSON.stringify(description)]]; // prettier-ignore
  for (const { time, measures, dimensions } of seen) {
    const memberOf = (group: readonly string[]) => formatMember(group.map((dimension) => dimensions[dimension]));
    for (const [measure, by] of Object.entries(measures)) {
      for (const group of [[], ...description.groups]) {
        for (const bucket of [time.slice(0, 10), time.slice(0, 13)]) {
          const cell = `${bucketKey(prefix, { statistic: description.name, measure, group }, bucket)} ${memberOf(group)}`;
          sums.set(cell, (sums.get(cell) ?? 0) + by);
        }
      }
    }
    for (const group of description.latest) {
      commands.push(['zadd', latestKey(prefix, description.name, group), 'GT', Date.parse(time), memberOf(group)]);
    }
  }
  for (const [cell, sum] of sums) {
    const [key = '', member = ''] = cell.split(' ');
    commands.push(['zincrby', key, sum, member]);
  }
  for (let at = 0; at < commands.length; at += 5000) await redis.pipeline(commands.slice(at, at + 5000)).exec();
}
