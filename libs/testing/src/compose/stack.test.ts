import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { startApp, type AppProcess } from '../app-process';
import { startMongoStandIn, type MongoStandIn } from '../mongo-stand-in';
import { temporaryDirectory } from '../servers/temporary';
import { startInfluxdb } from '../servers/influxdb';
import { startRegistry } from '../servers/registry';
import type { PrivateServer } from '../servers/server';
import { until } from '../until';
import { descriptorOf, jsonBlob, pushBlob, pushManifest } from '../content';
import {
  deploy,
  environmentOf,
  makeInfluxUsers,
  root,
  startStackRabbitmq,
  startStackRedis,
} from './stack.test-support';

// The apps themselves with exactly the users of docker-compose.yml, on real servers: all of them work with what they
// were given (S34, S41, S43, S44), and one event goes all the way.

/** MongoDB's actions, and the commands that need them. */
const COMMANDS: Readonly<Record<string, string>> = {
  insert: 'insert',
  createCollection: 'create',
  createIndex: 'createIndexes',
  dropIndex: 'dropIndexes',
  collMod: 'collMod',
};

/** What deploy/mongodb-users.js makes, as MongoDB would be told. */
interface Role {
  role: string;
  privileges: { resource: { db: string; collection: string }; actions: string[] }[];
  roles: unknown[];
}

function mongoUsers() {
  const made: { roles: Role[]; users: { user: string; pwd: string; roles: unknown[] }[]; databases: string[] } = {
    roles: [],
    users: [],
    databases: [],
  };
  const db = {
    getSiblingDB: (name: string) => {
      made.databases.push(name);
      return { createRole: (role: Role) => made.roles.push(role), createUser: (user: never) => made.users.push(user) };
    },
  };
  const env = { MONGODB_DATABASE: 'weir', MONGODB_WEIR_PASSWORD: 'pwmongo', MONGODB_OPERATOR_PASSWORD: 'pwop' };
  runInContext(readFileSync(deploy('mongodb-users.js'), 'utf8'), createContext({ db, process: { env } }));
  return made;
}

const KEY = 'stack-key';
const [USAGE, FLOW] = ['weir', 'weir_flow'] as const;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: Awaited<ReturnType<typeof startStackRabbitmq>>;
let redis: Awaited<ReturnType<typeof startStackRedis>>;
let mongo: MongoStandIn;
let influx: PrivateServer;
let registry: PrivateServer;
let influxUrlOf: (user: 'weir' | 'grafana') => string;
const apps = new Map<string, AppProcess>();

beforeAll(async () => {
  dir = await temporaryDirectory();
  // The server's own user is the administrator of the stack; `weir` is to be the worker's.
  await mkdir(`${dir.path}/influx`);
  await writeFile(`${dir.path}/influx/state.json`, JSON.stringify({ ports: {}, user: 'admin', password: 'pwadmin' }));
  await Promise.all([
    startStackRabbitmq(`${dir.path}/rabbitmq`).then((started) => (broker = started)),
    startStackRedis(`${dir.path}/redis`).then((started) => (redis = started)),
    startInfluxdb({ dir: `${dir.path}/influx` }).then((started) => (influx = started)),
    startRegistry({ dir: `${dir.path}/registry` }).then((started) => (registry = started)),
  ]);
  influxUrlOf = await makeInfluxUsers(influx.url, { usage: USAGE, flow: FLOW }, dir.path);
  const { roles, users } = mongoUsers();
  const allowed = roles.flatMap(({ privileges }) => privileges.flatMap(({ actions }) => actions));
  const { user, pwd: password } = users[0] ?? { user: '', pwd: '' };
  mongo = await startMongoStandIn({ user, password, allowed: allowed.map((action) => COMMANDS[action] ?? action) });

  const edge = (app: string, env: Record<string, string>) =>
    start(app, { AMQP_URL: broker.urlOf(app), SPOOL_DIR: `${dir.path}/${app}`, ...env });
  edge('gateway', { GATEWAY_PORT: '0', UPSTREAM: registry.url, REDIS_URL: redis.urlOf('gateway') });
  edge('ingest', { INGEST_PORT: '0', INGEST_KEYS: `stack:${sha256(KEY)}` });
  edge('build-service', { BUILD_SERVICE_PORT: '0', BUILD_KEYS: `stack:${sha256(KEY)}`, WORK_DIR: `${dir.path}/work` });
  start('stats', { REDIS_URL: redis.urlOf('stats'), STATS_PORT: '0', STATS_USERS: `weir:${sha256(KEY)}` });
  const worker = (app: string, env: Record<string, string>) => start(app, { AMQP_URL: broker.urlOf(app), ...env });
  worker('redis-worker', { REDIS_URL: redis.urlOf('redis-worker') });
  worker('influx-worker', {
    INFLUX_URL: influxUrlOf('weir'), INFLUX_DATABASE: USAGE, INFLUX_FLOW_DATABASE: FLOW, INFLUX_FLOW_INTERVAL_MS: '500',
  }); // prettier-ignore
  worker('mongo-worker', { MONGODB_URL: mongo.url, MONGODB_DATABASE: 'weir' });
  await Promise.all([...apps.values()].map((app) => app.logged(({ msg }) => msg === 'started')));
}, 300_000);

afterAll(async () => {
  await Promise.all([...apps.values()].map((app) => app.stop()));
  await Promise.all([broker?.broker.stop(), redis?.redis.stop(), mongo?.stop(), influx?.stop(), registry?.stop()]);
  await dir.remove();
}, 120_000);

function start(app: string, env: Record<string, string>): void {
  apps.set(app, startApp(app, { LOG_LEVEL: 'debug', ...env }));
}

const app = (name: string): AppProcess => apps.get(name) as AppProcess;

async function portOf(name: string): Promise<number> {
  return Number((await app(name).logged(({ port }) => port !== undefined))['port']);
}

async function influxAs(user: 'weir' | 'grafana', database: string, statement: string, path = '/query') {
  const { origin, username, password } = new URL(influxUrlOf(user));
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(`${origin}${path}?db=${database}`, {
    method: 'POST',
    headers: { authorization, ...(path === '/query' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) },
    body: path === '/query' ? `q=${encodeURIComponent(statement)}` : statement,
  });
  return { status: response.status, text: await response.text() };
}

test('every app becomes ready', async () => {
  for (const [name, process] of apps) {
    await until(async () => (await process.readiness()).ready, 60_000).catch(async () => {
      throw new Error(`${name} is not ready: ${JSON.stringify(await process.readiness())}`);
    });
  }
}, 120_000);

const time = new Date();
const day = time.toISOString().slice(0, 10);

test('an event goes all the way, and none of the users is refused anything', async () => {
  const response = await fetch(`http://127.0.0.1:${await portOf('ingest')}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      type: 'pull', time: time.toISOString(), data: { repository: 'a/b', platform: 'linux/arm64', user: { email: 'x@acme.example' } },
    }), // prettier-ignore
  });
  expect(response.status).toBe(202);

  const operator = new Redis(redis.urlOf('operator'));
  await until(async () => (await operator.get(`pulls/o/acme.example/d/${day}`)) === '1');
  operator.disconnect();
  const login = `Basic ${Buffer.from(`weir:${KEY}`).toString('base64')}`;
  const question = `http://127.0.0.1:${await portOf('stats')}/v1alpha3/metrics/pulls?date=${day}`;
  await until(async () => {
    const asked = await fetch(question, { headers: { authorization: login } });
    return ((await asked.json()) as { count?: number }).count === 1;
  });
  await until(async () => (await influxAs('grafana', USAGE, 'SELECT * FROM pull')).text.includes('a/b'));
  await until(async () => (await influxAs('grafana', FLOW, 'SELECT * FROM queue')).text.includes('weir.redis'));
  const client = await MongoClient.connect(mongo.url);
  await expect(client.db('weir').collection('events').findOne()).rejects.toThrow(/not authorized/);
  await client.close();
  await until(() => written('mongo-worker'));
  nobodyIsRefused();
}, 120_000);

test('a pull is counted with its source, of which the gateway alone has the secrets', async () => {
  await pushImage('c/d', 'v1');
  const gateway = `http://127.0.0.1:${await portOf('gateway')}`;
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const got = await fetch(`${gateway}/v2/c/d/manifests/v1`, { headers: { accept, 'user-agent': 'containerd/1.7.20' } });
  expect(got.status).toBe(200);
  await got.arrayBuffer();

  const login = `Basic ${Buffer.from(`weir:${KEY}`).toString('base64')}`;
  const question = `http://127.0.0.1:${await portOf('stats')}/uniques?from=${day}&to=${day}&repository=c%2Fd`;
  await until(async () => {
    const asked = await fetch(question, { headers: { authorization: login } });
    return ((await asked.json()) as { sources?: number }).sources === 1;
  });
  const operator = new Redis(redis.urlOf('operator'));
  await until(async () => (await operator.keys('weir:gateway:secret:*')).length === 2);
  await until(async () => (await operator.keys('weir:digest:sha256:*')).length > 0);
  operator.disconnect();
  nobodyIsRefused();
}, 120_000);

/** An image of nothing but its configuration. */
async function pushImage(repository: string, tag: string): Promise<void> {
  const says = { os: 'linux', architecture: 'arm64', rootfs: { type: 'layers', diff_ids: [] } };
  const config = jsonBlob('application/vnd.oci.image.config.v1+json', says);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = jsonBlob(mediaType, { schemaVersion: 2, mediaType, layers: [], config: descriptorOf(config) });
  await pushBlob(registry.url, repository, config);
  await pushManifest(registry.url, repository, tag, manifest);
}

function nobodyIsRefused(): void {
  for (const [name, { log }] of apps) {
    const refusals = log.filter((line) =>
      /NOPERM|ACCESS.REFUSED|not authorized|unauthorized|does not let/i.test(JSON.stringify(line)),
    );
    expect([name, refusals]).toEqual([name, []]);
  }
}

async function written(name: string): Promise<boolean> {
  const { adminPort } = await app(name).logged(({ adminPort: found }) => found !== undefined);
  const text = await (await fetch(`http://127.0.0.1:${String(adminPort)}/metrics`)).text();
  return /^weir_worker_events_total\{outcome="written"\} [1-9]/m.test(text);
}

test('the command line verifies the stores as the operator', async () => {
  const flags = ['--conditions=@weir/source', '--require', join(root, 'libs/testing/src/source.js')];
  const env = {
    PATH: process.env['PATH'], AMQP_URL: broker.urlOf('operator'), REDIS_URL: redis.urlOf('operator'),
    INFLUX_URL: influxUrlOf('grafana'), INFLUX_DATABASE: USAGE,
  }; // prettier-ignore
  const command = [join(root, 'apps/cli/src/main.ts'), 'verify', '--only', 'redis', 'influx', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...command], { env, cwd: dir.path });
  expect(JSON.parse(stdout)).toMatchObject({ drifts: [] });
}, 120_000);

describe('the users of InfluxDB (S41)', () => {
  test('the worker writes and reads the events, and only writes the samples', async () => {
    expect(await influxAs('weir', USAGE, 'SELECT * FROM pull')).toMatchObject({ status: 200 });
    expect(await influxAs('weir', FLOW, 'x v=1', '/write')).toMatchObject({ status: 204 });
    expect((await influxAs('weir', FLOW, 'SELECT * FROM queue')).text).toMatch(/not authorized/);
  });

  test.each([
    'DROP DATABASE "weir"',
    "CREATE USER x WITH PASSWORD 'x'",
    'SHOW USERS',
    'DROP MEASUREMENT pull',
    'CREATE DATABASE other',
  ])('the worker may not %s', async (statement) => {
    expect((await influxAs('weir', USAGE, statement)).text).toMatch(/not authorized|requires admin|error authorizing/);
  });

  test('Grafana reads both and writes nothing', async () => {
    for (const database of [USAGE, FLOW]) {
      expect(await influxAs('grafana', database, 'SHOW MEASUREMENTS')).toMatchObject({ status: 200 });
      expect(await influxAs('grafana', database, 'x v=1', '/write')).toMatchObject({ status: 403 });
      expect((await influxAs('grafana', database, 'DELETE FROM pull')).text).toMatch(/not authorized|requires/);
    }
  });
});

describe("the worker's user of MongoDB (S43)", () => {
  test('adds to one collection and looks after its index, and has no other right', () => {
    const { roles, users, databases } = mongoUsers();
    expect(databases).toEqual(['admin']);
    expect(users).toEqual([
      { user: 'weir', pwd: 'pwmongo', roles: ['weirEcho'] },
      { user: 'operator', pwd: 'pwop', roles: [{ role: 'read', db: 'weir' }] },
    ]);
    expect(roles).toEqual([
      {
        role: 'weirEcho',
        privileges: [
          {
            resource: { db: 'weir', collection: 'events' },
            actions: ['insert', 'createCollection', 'createIndex', 'dropIndex', 'collMod'],
          },
        ],
        roles: [],
      },
    ]);
    expect(environmentOf('mongo-worker')['MONGODB_URL']).toMatch(/^mongodb:\/\/weir:\$\{MONGODB_WEIR_PASSWORD:\?/);
  });

  test.each([
    ['find', { find: 'events' }],
    ['update', { update: 'events', updates: [{ q: {}, u: { $set: { a: 1 } }, multi: true }] }],
    ['delete', { delete: 'events', deletes: [{ q: {}, limit: 0 }] }],
    ['drop', { drop: 'events' }],
    ['dropDatabase', { dropDatabase: 1 }],
    ['aggregate', { aggregate: 'events', pipeline: [], cursor: {} }],
  ])('may not %s', async (_name, command) => {
    const client = await MongoClient.connect(mongo.url);
    await expect(client.db('weir').command(command)).rejects.toThrow(/not authorized/);
    await client.close();
  });
});
