/**
 * The whole of Weir, end to end: real servers, the compiled apps, a real skopeo, through the quick start itself in a
 * folder of its own. What must be shown of it is in here: exact counts through every outage.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createEvent } from '@weir/events';
import type { WeirEvent } from '@weir/events';
import { queriesOf, readDashboards, startInfluxdb, startRabbitmq, substituted } from '@weir/testing';
import type { PrivateServer } from '@weir/testing';
import Redis from 'ioredis';
import { MongoClient } from 'mongodb';
import { pushDemoImages } from './demo/images';
import type { Endpoints } from './endpoints';
import { canListen } from './ports';
import { isAlive, processesOfRun } from './processes';
import type { Run } from './run-file';

const run = promisify(execFile);
const app = join(__dirname, '..');
const repository = join(app, '../..');

beforeAll(() => {
  const tsc = join(repository, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '--build', repository], { stdio: 'pipe' });
}, 180_000);

/** A quick start in a folder of its own, on ports of its own, and the stores behind it. */
async function startWeir(more: Record<string, string> = {}, flags: readonly string[] = []) {
  const home = mkdtempSync(join(tmpdir(), 'weir-flow-'));
  const ports = { GATEWAY_PORT: '0', INGEST_PORT: '0', BUILD_SERVICE_PORT: '0', STATS_PORT: '0' };
  const env = { PATH: process.env['PATH'], HOME: home, WEIR_HOME: join(home, '.weir'), ...ports, ...more };
  const weir = (...args: string[]) => run(process.execPath, [join(app, 'dist/main.js'), ...args], { env });
  await weir('start', '--detach', ...flags);
  const readJson = (name: string): unknown => JSON.parse(readFileSync(join(home, '.weir', name), 'utf8'));
  const endpoints = readJson('endpoints.json') as Endpoints;
  const redis = new Redis(endpoints.redis);
  const mongo = await new MongoClient(endpoints.mongodb).connect();
  const influx = influxAt(endpoints);

  return {
    home,
    endpoints,
    redis,
    influx,
    documents: mongo.db(endpoints.mongoDatabase).collection('events'),
    readRun: () => readJson('run.json') as Run,
    stopped: () => !existsSync(join(home, '.weir/run.json')),
    async close() {
      redis.disconnect();
      await mongo.close();
      await weir('stop');
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

type Weir = Awaited<ReturnType<typeof startWeir>>;

function influxAt({ influx, influxDatabase }: Endpoints) {
  const { origin, username, password } = new URL(influx);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const query = async (q: string, db = influxDatabase): Promise<unknown[][]> => {
    const response = await fetch(`${origin}/query?${new URLSearchParams({ db, q })}`, { headers: { authorization } });
    const { results } = (await response.json()) as {
      results: { error?: string; series?: { values: unknown[][] }[] }[];
    };
    if (results[0]?.error !== undefined) throw new Error(`${results[0].error}: ${q}`);
    return results.flatMap(({ series = [] }) => series.flatMap(({ values }) => values));
  };
  return {
    query,
    /** Points of one measurement, those of one organization only where one is given. */
    async count(measurement: string, organization?: string): Promise<number> {
      const where = organization === undefined ? '' : ` WHERE "organization" = '${organization}'`;
      const [row] = await query(`SELECT COUNT("identity") FROM "${measurement}"${where}`);
      return Number(row?.[1] ?? 0);
    },
    measurements: async () => (await query('SHOW MEASUREMENTS')).map(([name]) => name),
  };
}

/** Asks again and again until the answer is as it should be; in the end the assertion itself says what it is instead. */
async function settles<T>(read: () => Promise<T>, expected: T, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (JSON.stringify(await read().catch(String)) !== JSON.stringify(expected)) {
    if (Date.now() > deadline) return expect(await read()).toEqual(expected);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const pullOf = (organization: string): WeirEvent =>
  createEvent(
    'io.weir.pull',
    { repository: 'flow/app', platform: 'linux/arm64', user: { organization } },
    { source: '/flow-test' },
  );

async function post({ endpoints }: Weir, events: WeirEvent | WeirEvent[]): Promise<number> {
  const batch = Array.isArray(events);
  const response = await fetch(`${endpoints.ingest}/events`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${endpoints.ingestKey}`,
      'content-type': batch ? 'application/cloudevents-batch+json' : 'application/cloudevents+json',
    },
    body: JSON.stringify(events),
  });
  await response.arrayBuffer();
  return response.status;
}

/** How often each store has counted the pulls of one organization. */
function counts({ redis, influx, documents }: Weir, organization: string) {
  return {
    redis: async () => Number((await redis.get(`pulls/o/${organization}`)) ?? 0),
    influx: () => influx.count('pull', organization),
    mongo: () => documents.countDocuments({ 'event.data.user.organization': organization }),
  };
}

async function allSettleAt(weir: Weir, organization: string, expected: number): Promise<void> {
  const { redis, influx, mongo } = counts(weir, organization);
  await settles(async () => [await redis(), await influx(), await mongo()], [expected, expected, expected]);
}

/** When an event that was sent later has reached every store, so has all that was sent before it. */
async function everythingIsCounted(weir: Weir): Promise<void> {
  const organization = `sentinel-${Math.random().toString(36).slice(2)}.example`;
  expect(await post(weir, pullOf(organization))).toBe(202);
  await allSettleAt(weir, organization, 1);
}

describe('with everything as it is found on this machine', () => {
  let weir: Weir;

  beforeAll(async () => (weir = await startWeir()), 120_000);
  afterAll(async () => {
    if (!weir.stopped()) await weir.close();
    weir.remove();
  }, 60_000);

  test('one pull with skopeo is one pull in exactly the right keys and one download, each a point and a document', async () => {
    const { endpoints, redis, influx, documents, home } = weir;
    await pushDemoImages(endpoints.registry ?? '', [
      { repository: 'flow/app', tag: '1.0', platforms: ['linux/amd64', 'linux/arm64'] },
    ]);
    const image = `docker://${new URL(endpoints.gateway).host}/flow/app:1.0`;
    const platform = ['--override-os', 'linux', '--override-arch', 'arm64'];
    const before = new Date().toISOString().slice(0, 10);
    await run('skopeo', [
      ...platform,
      'copy',
      '--insecure-policy',
      '--src-tls-verify=false',
      image,
      `dir:${home}/image`,
    ]);
    await settles(() => redis.get('pulls/a/arm64'), '1');
    await settles(async () => [await influx.count('pull'), await influx.count('download')], [1, 1]);
    await settles(() => documents.countDocuments(), 2);

    const eventOf = async (type: string): Promise<WeirEvent> =>
      (await documents.findOne({ 'event.type': type }))?.['event'] as WeirEvent;
    const [pull, download] = [await eventOf('io.weir.pull'), await eventOf('io.weir.download')];
    expect(pull).toMatchObject({
      data: {
        repository: 'flow/app',
        tag: '1.0',
        platform: 'linux/arm64/v8',
        kind: 'image',
        client: { name: 'skopeo' },
      },
    });
    expect(download).toMatchObject({ time: pull.time, data: { repository: 'flow/app', pull: pull.id, layers: 1 } });

    const day = pull.time.slice(0, 10);
    expect(day >= before).toBe(true);
    const keys = await redis.keys('*');
    const usage = keys.filter((key) => !key.startsWith('weir:')).sort();
    expect(usage).toEqual(['pulls/a/arm64', `pulls/a/arm64/d/${day}`, `pulls/d/${day}`]);
    expect(await redis.mget(usage)).toEqual(['1', '1', '1']);
    const sources = keys.filter((key) => key.startsWith('weir:distinct:')).sort();
    expect(sources).toEqual(
      ['day', 'month'].flatMap((by) => [
        `weir:distinct:sources:${by}/d/${day}`,
        `weir:distinct:sources:${by}/repository/flow%2Fapp/d/${day}`,
      ]),
    );
    for (const key of sources) expect([key, await redis.pfcount(key)]).toEqual([key, 1]);
    expect((await influx.measurements()).sort()).toEqual(['download', 'pull']);
  });

  test('the gateway keeps what it has to share in Redis: its secrets for as long as they are good, and platforms', async () => {
    const { redis } = weir;
    const secrets = (await redis.keys('weir:gateway:secret:*')).sort();
    expect(secrets.map((key) => key.replace(/\d/g, '0'))).toEqual([
      'weir:gateway:secret:0000-00',
      'weir:gateway:secret:0000-00-00',
    ]);
    for (const key of secrets) expect(await redis.ttl(key)).toBeGreaterThan(0);
    expect((await redis.keys('weir:digest:*')).length).toBeGreaterThan(0);
  });

  test('npm stop leaves no process and no port behind', async () => {
    const { endpoints, readRun } = weir;
    const { id, supervisor, processes } = readRun();
    await weir.close();
    expect([supervisor, ...processes].filter(isAlive)).toEqual([]);
    expect(processesOfRun(id)).toEqual([]);
    const { gateway, ingest, buildService, stats, amqp, redis, influx, mongodb, registry = '' } = endpoints;
    for (const address of [gateway, ingest, buildService, stats, amqp, redis, influx, mongodb, registry]) {
      expect([address, await canListen('127.0.0.1', Number(new URL(address).port))]).toEqual([address, true]);
    }
  });
});

describe('with a RabbitMQ and an InfluxDB that come and go, and the demo beside', () => {
  let servers: string;
  let rabbitmq: PrivateServer;
  let influxdb: PrivateServer;
  let weir: Weir;

  beforeAll(async () => {
    servers = mkdtempSync(join(tmpdir(), 'weir-flow-servers-'));
    [rabbitmq, influxdb] = await Promise.all([
      startRabbitmq({ dir: join(servers, 'rabbitmq') }),
      startInfluxdb({ dir: join(servers, 'influxdb') }),
    ]);
    weir = await startWeir({ AMQP_URL: rabbitmq.url, INFLUX_URL: influxdb.url }, ['--demo']);
  }, 120_000);
  afterAll(async () => {
    await weir?.close();
    weir?.remove();
    await Promise.all([rabbitmq?.stop(), influxdb?.stop()]);
    rmSync(servers, { recursive: true, force: true });
  }, 60_000);

  test('servers whose URL is given are used and said so', () => {
    expect(weir.endpoints).toMatchObject({
      amqp: rabbitmq.url,
      influx: influxdb.url,
      'found.amqp': 'url',
      'found.influx': 'url',
    });
  });

  test('one event posted three times is counted once everywhere', async () => {
    const event = pullOf('thrice.example');
    for (let times = 0; times < 3; times += 1) expect(await post(weir, event)).toBe(202);
    await everythingIsCounted(weir);
    await allSettleAt(weir, 'thrice.example', 1);
  });

  test('a thousand posts while the broker is stopped, and ingest killed with -9, are a thousand more', async () => {
    await rabbitmq.stop();
    const statuses = await inParallel(20, 1_000, () => post(weir, pullOf('outage.example')));
    expect(statuses).toEqual(new Map([[202, 1_000]]));

    const ingest = weir.readRun().processes.find(({ name }) => name === 'ingest');
    process.kill(ingest?.pid ?? 0, 'SIGKILL');
    await settles(async () => {
      const now = weir.readRun().processes.find(({ name }) => name === 'ingest');
      return now !== undefined && now.pid !== ingest?.pid;
    }, true);
    await rabbitmq.start();
    await allSettleAt(weir, 'outage.example', 1_000);
    await everythingIsCounted(weir);
    await allSettleAt(weir, 'outage.example', 1_000);
  }, 90_000);

  test('while InfluxDB is stopped under load the others go on, and it catches up to the exact number', async () => {
    const organization = 'load.example';
    const batch = () => Array.from({ length: 50 }, () => pullOf(organization));
    const { redis, influx, mongo } = counts(weir, organization);
    const some = await inParallel(2, 10, () => post(weir, batch()));
    await influxdb.kill();
    const more = await inParallel(2, 40, () => post(weir, batch()));
    expect([some, more]).toEqual([new Map([[202, 10]]), new Map([[202, 40]])]);
    await settles(async () => [await redis(), await mongo()], [2_500, 2_500]);
    await expect(influx()).rejects.toThrow();

    await influxdb.start();
    await settles(influx, 2_500);
    await everythingIsCounted(weir);
    await allSettleAt(weir, organization, 2_500);
  }, 90_000);

  test('the machines of the demo are several sources, and its checks, charts and signatures are told apart', async () => {
    const { redis, influx } = weir;
    await settles(async () => {
      const [key = ''] = await redis.keys('weir:distinct:sources:day/d/*');
      return (await redis.pfcount(key)) > (process.platform === 'linux' ? 4 : 0);
    }, true);
    await settles(async () => (await influx.count('check')) > 0, true);
    const pulls = async () =>
      (await influx.query(`SELECT COUNT("identity") FROM "pull" WHERE "kind" = 'helm-chart'`))[0];
    await settles(async () => Number((await pulls())?.[1]) > 0, true);
    await settles(async () => (await influx.count('referrer')) > 0, true);
  }, 90_000);

  test('every query of every dashboard returns values, for the demo feeds them all', async () => {
    const dashboards = await readDashboards(join(repository, 'grafana/dashboards'));
    const empty = async (): Promise<string[]> => {
      const window = { from: new Date(Date.now() - 3_600_000), to: new Date(), interval: '10s' };
      const found = [...dashboards.values()].flatMap((dashboard) =>
        queriesOf(dashboard).map(async ({ where, uid, query }) => {
          const database = uid === 'weir-flow' ? 'weir_flow' : weir.endpoints.influxDatabase;
          const rows = await weir.influx.query(substituted(query, dashboard, window), database);
          // An empty queue is a finding; a chart of usage that is zero throughout has nothing behind it.
          const values = rows
            .flatMap(([, ...rest]) => rest)
            .filter((value) => value !== null && (uid === 'weir-flow' || value !== 0));
          return values.length > 0 ? [] : [`${dashboard.title}: ${where}`];
        }),
      );
      return (await Promise.all(found)).flat();
    };
    expect(dashboards.size).toBeGreaterThan(0);
    await settles(empty, [], 60_000);
  }, 90_000);
});

/** Does something a number of times, so many at a time; returns how often each result came. */
async function inParallel<T>(lanes: number, times: number, work: () => Promise<T>): Promise<Map<T, number>> {
  const results = new Map<T, number>();
  let left = times;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const result = await work();
      results.set(result, (results.get(result) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}
