import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInfluxdb } from '../servers/influxdb';
import { startMongodb } from '../servers/mongodb';
import { startRabbitmq } from '../servers/rabbitmq';
import type { PrivateRabbitmq } from '../servers/rabbitmq';
import { startRedis } from '../servers/redis';
import { startRegistry } from '../servers/registry';
import { ServerError } from '../servers/server';
import type { PrivateServer, ServerName, StartOptions } from '../servers/server';

/** What a test gets for an answer; see ../test-servers.ts for the questions. */
export interface Shared {
  url: string;
  /** A number that no other test of this run has had. */
  serial: number;
}

const starters: Record<ServerName, (options: StartOptions) => Promise<PrivateServer>> = {
  rabbitmq: startRabbitmq,
  redis: startRedis,
  influxdb: startInfluxdb,
  mongodb: startMongodb,
  registry: startRegistry,
};

const variables: Record<ServerName, string> = {
  rabbitmq: 'WEIR_TEST_AMQP_URL',
  redis: 'WEIR_TEST_REDIS_URL',
  influxdb: 'WEIR_TEST_INFLUX_URL',
  mongodb: 'WEIR_TEST_MONGODB_URL',
  registry: 'WEIR_TEST_REGISTRY_URL',
};

/**
 * Serves one set of servers to all workers of a jest run, over HTTP on a socket whose path it puts into
 * `WEIR_TEST_SERVERS`. A server is started when the first test asks for it, so a run that needs none pays nothing.
 * Where a `WEIR_TEST_…_URL` is set, that server is used instead.
 */
export async function shareServers(env: NodeJS.ProcessEnv): Promise<{ stop(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-jest-'));
  const started = new Map<ServerName, Promise<PrivateServer>>();
  let given = 0;

  const start = (name: ServerName): Promise<PrivateServer> => {
    const running = started.get(name) ?? starters[name]({ dir: join(dir, name) });
    started.set(name, running);
    return running;
  };
  const urlOf = async (name: ServerName) => env[variables[name]] || (await start(name)).url;

  const answer = async (method: string, [name = '', what, id = '']: string[]): Promise<Shared> => {
    if (!isServerName(name)) throw new ServerError(`There is no test server called "${name}".`);
    const serial = (given += 1);
    if (what !== 'vhosts') return { url: await urlOf(name), serial };
    // Only in a RabbitMQ of our own can virtual hosts be made.
    const theirs = env[variables.rabbitmq];
    if (theirs) return { url: theirs, serial };
    const rabbitmq = (await start('rabbitmq')) as PrivateRabbitmq;
    if (method === 'POST') return { url: await rabbitmq.addVhost(`test-${serial}`), serial };
    await rabbitmq.deleteVhost(id);
    return { url: '', serial };
  };

  const server = createServer((request, response) => void respond(request, response, answer));
  const socket = join(dir, 'share.sock');
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  server.unref();
  env['WEIR_TEST_SERVERS'] = socket;

  return {
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.all([...started.values()].map(async (running) => (await running.catch(() => undefined))?.stop()));
      await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (method: string, path: string[]) => Promise<Shared>,
): Promise<void> {
  const path = (request.url ?? '').split('/').slice(1).map(decodeURIComponent);
  try {
    response.end(JSON.stringify(await answer(request.method ?? '', path)));
  } catch (error) {
    response.writeHead(500).end(error instanceof Error ? error.message : String(error));
  }
}

function isServerName(name: string): name is ServerName {
  return Object.hasOwn(starters, name);
}
