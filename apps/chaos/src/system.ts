import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createApp,
  freePort,
  startInfluxdb,
  startMongodb,
  startRabbitmq,
  startRabbitmqCluster,
  startRedis,
} from '@weir/testing';
import type { App, PrivateRabbitmq, PrivateServer, RabbitmqCluster } from '@weir/testing';
import { createLink, together, type Faults, type Link } from './proxy';
import { breakable, breakableCluster, foreign, type BreakableServer } from './server';
import { readPoints } from './stores/influx';
import { readDocuments } from './stores/mongo';
import { readUsage } from './stores/redis';
import type { Stores } from './oracle';

export const APPS = ['ingest', 'redis-worker', 'influx-worker', 'mongo-worker'] as const;
export type AppName = (typeof APPS)[number];
export const SERVERS = ['rabbitmq', 'redis', 'influxdb', 'mongodb'] as const;
export type ServerName = (typeof SERVERS)[number];
/** Who has a way of its own through a proxy: every app, and the suite's own two kinds of clients. */
export const LINKS = [
  'clients>ingest',
  'publisher>rabbitmq',
  'ingest>rabbitmq',
  'redis-worker>rabbitmq',
  'influx-worker>rabbitmq',
  'mongo-worker>rabbitmq',
  'redis-worker>redis',
  'influx-worker>influxdb',
  'mongo-worker>mongodb',
] as const;
export type LinkName = (typeof LINKS)[number];

/** Real servers, each behind proxies of the suite's own, and the compiled apps as processes. */
export interface System {
  dir: string;
  servers: Record<ServerName, BreakableServer>;
  /** The broker's three nodes, where the system has them. */
  cluster: RabbitmqCluster | undefined;
  /** Asks the broker itself; see PrivateRabbitmq.evaluate. */
  evaluate(expressions: string): Promise<string>;
  link(name: LinkName): Link;
  /** All ways that lead to a server, or only those of these clients. */
  linksTo(server: ServerName | 'ingest'): Faults;
  app(name: AppName): App;
  apps(): App[];
  /** Where clients post, through the proxy, and the key. */
  ingest: { url: string; key: string };
  /** Past every proxy, for the oracle and for cases that look for themselves. */
  direct: {
    amqp: string;
    redis: string;
    influx: string;
    influxDatabase: string;
    mongodb: string;
    mongoDatabase: string;
  };
  stores: Stores;
  /** Ends every fault: ways pass, servers run and answer, apps run and are ready. */
  repair(): Promise<void>;
  /** A case ended a fault that nothing here knows of. */
  mended(): void;
  /** When the last fault ended, of `performance.now()`. */
  repairedAt(): number;
  stop(): Promise<void>;
}

export interface SystemOptions {
  /** An empty directory for everything. */
  dir: string;
  /** The repository, compiled. */
  root: string;
  /** How an app's main is run; node's arguments. By default its compiled main. */
  argsOf?: (app: string) => readonly string[];
  /** Further variables of every app. */
  environment?: Readonly<Record<string, string>>;
  /** Three brokers in one cluster, behind a load balancer, instead of one. */
  cluster?: boolean;
  /** A MongoDB of the user's; otherwise a private one, or the stand-in. */
  mongodbUrl?: string | undefined;
  path: string;
}

const DATABASE = 'chaos';

/** Registers the undoing of something that has just been started. */
type OnStop = (release: () => unknown) => void;

/** @throws what went wrong, when it cannot be started: nothing that was is left running then */
export async function startSystem(options: SystemOptions): Promise<System> {
  const releases: (() => unknown)[] = [];
  /** The last first, whatever becomes of the others; a second time there is nothing left to do. */
  const stop = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const release of releases.splice(0).reverse()) {
      await Promise.resolve()
        .then(release)
        .catch((error: unknown) => void failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const system = await assemble(options, (release) => void releases.push(release), stop);
    await system.repair();
    return system;
  } catch (error) {
    await stop().catch(() => {}); // what went wrong first is of interest
    throw error;
  }
}

async function assemble(options: SystemOptions, onStop: OnStop, stop: () => Promise<void>): Promise<System> {
  const { dir, root, mongodbUrl } = options;
  const mongoDatabase = mongodbUrl === undefined ? DATABASE : `chaos_${randomBytes(4).toString('hex')}`;
  let repairedAt = performance.now();
  const onRepair = () => void (repairedAt = performance.now());

  const starting = [
    startBroker(join(dir, 'rabbitmq'), options.cluster ?? false, onStop),
    ending(startRedis({ dir: join(dir, 'redis') }), onStop),
    ending(startInfluxdb({ dir: join(dir, 'influxdb') }), onStop),
    mongodbUrl === undefined ? ending(startMongodb({ dir: join(dir, 'mongodb') }), onStop) : undefined,
  ] as const;
  await Promise.allSettled(starting); // when one fails the others are to be undone, once they are there
  const [rabbitmq, redis, influxdb, mongodb] = await Promise.all(starting);
  const cluster = isCluster(rabbitmq) ? rabbitmq : undefined;
  const urls: Record<ServerName, string> = {
    rabbitmq: rabbitmq.url,
    redis: redis.url,
    influxdb: influxdb.url,
    mongodb: mongodb?.url ?? mongodbUrl ?? '',
  };
  const ingestPort = await freePort();
  const links = new Map<LinkName, Link>();
  for (const name of LINKS) {
    const server = name.split('>')[1] as ServerName | 'ingest';
    const url = server === 'ingest' ? `http://127.0.0.1:${ingestPort}` : urls[server];
    const link = await createLink(name, url, onRepair);
    onStop(() => link.close());
    links.set(name, link);
  }
  const link = (name: LinkName): Link => found(links.get(name), name);
  const linksTo = (server: string): Faults =>
    together([...links.values()].filter(({ name }) => name.endsWith(`>${server}`)));

  const key = randomBytes(16).toString('hex');
  const common = { PATH: options.path, HOME: dir, TZ: 'America/St_Johns', ...options.environment };
  const argsOf = options.argsOf ?? ((app) => [join(root, 'apps', app, 'dist/main.js')]);
  const apps = new Map<AppName, App>();
  const add = async (name: AppName, env: Record<string, string>): Promise<App> => {
    const adminPort = await freePort();
    const app = createApp({
      name,
      args: argsOf(name),
      env: { ...common, ADMIN_PORT: String(adminPort), ...env },
      adminPort,
      logFile: join(dir, `${name}.log`),
      onRepair,
    });
    apps.set(name, app);
    onStop(() => app.kill());
    app.start();
    return app;
  };
  await mkdir(join(dir, 'spool'), { recursive: true });
  await add('ingest', {
    AMQP_URL: link('ingest>rabbitmq').url,
    INGEST_PORT: String(ingestPort),
    INGEST_KEYS: `chaos:${createHash('sha256').update(key).digest('hex')}`,
    SPOOL_DIR: join(dir, 'spool', 'ingest'),
  });
  await add('redis-worker', { AMQP_URL: link('redis-worker>rabbitmq').url, REDIS_URL: link('redis-worker>redis').url });
  await add('influx-worker', {
    AMQP_URL: link('influx-worker>rabbitmq').url,
    INFLUX_URL: link('influx-worker>influxdb').url,
    INFLUX_DATABASE: DATABASE,
    INFLUX_FLOW_DATABASE: `${DATABASE}_flow`,
  });
  await add('mongo-worker', {
    AMQP_URL: link('mongo-worker>rabbitmq').url,
    MONGODB_URL: withDirectConnection(link('mongo-worker>mongodb').url),
    MONGODB_DATABASE: mongoDatabase,
  });

  const servers: Record<ServerName, BreakableServer> = {
    rabbitmq: cluster ? breakableCluster(cluster, onRepair) : breakable(rabbitmq, onRepair),
    redis: breakable(redis, onRepair),
    influxdb: breakable(influxdb, onRepair),
    mongodb: mongodb ? breakable(mongodb, onRepair) : foreign(linksTo('mongodb')),
  };
  const stores = {
    redis: readUsage(urls.redis),
    influx: readPoints(urls.influxdb, DATABASE),
    mongo: readDocuments(urls.mongodb, mongoDatabase),
  };
  onStop(() => stores.redis.close());
  onStop(() => stores.mongo.close());

  return {
    dir,
    servers,
    cluster,
    evaluate: (expressions) => rabbitmq.evaluate(expressions),
    link,
    linksTo,
    app: (name) => found(apps.get(name), name),
    apps: () => [...apps.values()],
    ingest: { url: link('clients>ingest').url, key },
    direct: {
      amqp: urls.rabbitmq,
      redis: urls.redis,
      influx: urls.influxdb,
      influxDatabase: DATABASE,
      mongodb: urls.mongodb,
      mongoDatabase,
    },
    stores,
    async repair() {
      await Promise.all([...links.values()].map((each) => each.heal()));
      for (const server of Object.values(servers)) await server.repair();
      for (const app of apps.values()) {
        if (app.pid === undefined) app.start();
        else process.kill(app.pid, 'SIGCONT');
      }
      await Promise.all([...apps.values()].map((app) => app.ready(90_000)));
    },
    mended: onRepair,
    repairedAt: () => repairedAt,
    stop,
  };
}

const startBroker = async (dir: string, cluster: boolean, onStop: OnStop): Promise<PrivateRabbitmq> => {
  if (!cluster) return ending(startRabbitmq({ dir }), onStop);
  const started = await startRabbitmqCluster({ dir });
  onStop(() => started.close());
  return started;
};

/** Kills the server in the end. */
async function ending<Server extends PrivateServer>(starting: Promise<Server>, onStop: OnStop): Promise<Server> {
  const server = await starting;
  onStop(() => server.kill());
  return server;
}

const isCluster = (broker: PrivateRabbitmq): broker is RabbitmqCluster => 'nodes' in broker;

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`There is no ${name} in this system.`);
  return value;
}

/** A replica set tells its members' own addresses, past the proxy; this keeps the driver on the one it was given. */
function withDirectConnection(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set('directConnection', 'true');
  return parsed.toString();
}
