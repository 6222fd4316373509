/**
 * The dashboards of grafana/, checked as JSON, and every query of theirs executed against a real InfluxDB that the real
 * worker has filled with events of every kind through a real broker.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createPublisher } from '@weir/bus';
import { catalogue, createEvent } from '@weir/events';
import type { WeirEvent } from '@weir/events';
import { createHealth, readConfig } from '@weir/service';
import { isolated, panelsOf, queriesOf, readDashboards, substituted, temporaryDirectory, until } from '@weir/testing';
import type { Dashboard, DashboardQuery, Substitutions } from '@weir/testing';
import { startWorker } from '@weir/worker';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { influxWorker } from './influx';
import type { Rows } from './server';
import { openTestStore } from './store.test-support';
import type { TestStore } from './store.test-support';

const grafana = join(__dirname, '../../../grafana');
const now = new Date();
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000);

let store: TestStore;
let dashboards: Map<string, Dashboard>;
let databases: Record<string, string>;
const releases: (() => unknown)[] = [];

beforeAll(async () => {
  dashboards = await readDashboards(join(grafana, 'dashboards'));
  store = await openTestStore();
  const database = store.database();
  databases = { 'weir-influxdb': database, 'weir-flow': `${database}_flow` };
  await fill(database, samples());
}, 120_000);

afterAll(async () => {
  for (const release of releases.reverse()) await release();
  await store?.close();
});

describe('as JSON', () => {
  const each = (check: (dashboard: Dashboard, file: string) => void) => {
    expect([...dashboards.keys()]).toEqual(['event-flow.json', 'usage.json']);
    for (const [file, dashboard] of dashboards) check(dashboard, file);
  };

  test('dashboards and panels have identifiers of their own', () => {
    const uids = [...dashboards.values()].map(({ uid }) => uid);
    expect(new Set(uids).size).toBe(uids.length);
    each(({ panels }, file) => {
      const ids = panelsOf(panels).map(({ id }) => id);
      expect({ file, distinct: new Set(ids).size }).toEqual({ file, distinct: ids.length });
    });
  });

  test('every data source that is named is provisioned', async () => {
    const yaml = await readFile(join(grafana, 'provisioning/datasources/weir.yaml'), 'utf8');
    const provisioned = [...yaml.matchAll(/^ +uid: (\S+)$/gm)].map(([, uid]) => uid);
    expect(provisioned).toEqual(['weir-influxdb', 'weir-flow']);
    each((dashboard, file) => {
      const named = [...JSON.stringify(dashboard).matchAll(/"type":"influxdb","uid":"([^"]+)"/g)].map(([, uid]) => uid);
      expect({ file, unknown: named.filter((uid) => !provisioned.includes(uid)) }).toEqual({ file, unknown: [] });
      expect(named.length).toBeGreaterThan(10);
    });
  });

  test('no panel lies over another or beside the grid', () => {
    each(({ panels }) => {
      const taken = new Map<string, string>();
      for (const { title, gridPos } of panels) {
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
            expect([title, taken.get(`${x},${y}`)]).toEqual([title, undefined]);
            taken.set(`${x},${y}`, title);
          }
        }
      }
    });
  });

  test('every panel has a title, a unit, and targets with a name and a query each', () => {
    each(({ panels }) => {
      for (const { title, type, fieldConfig, targets = [] } of panelsOf(panels)) {
        expect(title).not.toBe('');
        if (type === 'row') continue;
        expect([title, fieldConfig?.defaults.unit ?? '']).toEqual([title, expect.stringMatching(/./)]);
        expect([title, targets.length]).not.toEqual([title, 0]);
        const refs = targets.map(({ refId }) => refId);
        expect(refs).toEqual(['A', 'B', 'C', 'D'].slice(0, refs.length));
        for (const { query } of targets) expect(query).toMatch(/^SELECT .*\$timeFilter/);
      }
    });
  });
});

describe('executed', () => {
  const all: Substitutions = { from: minutesAgo(24 * 60), to: new Date(now.getTime() + 60_000), interval: '10m' };

  const run = async (dashboard: Dashboard, { uid, query }: DashboardQuery, given: Substitutions): Promise<Rows[]> =>
    store.query(databases[uid] ?? '', substituted(query, dashboard, given));

  test('every query of every dashboard and variable returns values', async () => {
    const empty: string[] = [];
    let executed = 0;
    for (const dashboard of dashboards.values()) {
      for (const query of queriesOf(dashboard)) {
        executed += 1;
        const values = valuesOf(await run(dashboard, query, all));
        // An empty queue is a finding; a usage chart that is zero throughout has nothing behind it.
        const found = (value: unknown) => value !== null && (query.uid === 'weir-flow' || value !== 0);
        if (!values.some(found)) {
          empty.push(`${query.dashboard}: ${query.where}: ${query.query}`);
        }
      }
    }
    expect(empty).toEqual([]);
    expect(executed).toBeGreaterThanOrEqual(50);
  });

  test('outages are marked on every dashboard, each where it began and where it ended', async () => {
    for (const dashboard of dashboards.values()) {
      const marks = async (name: string) => {
        const query = queriesOf(dashboard).find(({ where }) => where === `annotation ${name}`) as DashboardQuery;
        const rows = await run(dashboard, query, all);
        return rows.flatMap(({ columns, values }) =>
          values.map((row) => ['service', 'state', 'reason'].map((column) => row[columns.indexOf(column)])),
        );
      };
      expect(await marks('Outages')).toEqual([['weir/ingest', 'down', 'spooled']]);
      expect(await marks('Back again')).toEqual([['registry', 'up', null]]);
    }
  });

  test('a time of which there is no sample of the flow is a gap, not a zero', async () => {
    for (const [file, where] of [
      ['usage.json', 'Flow, A'],
      ['event-flow.json', 'Flow, A'],
      ['event-flow.json', 'Queue depth, A'],
      ['event-flow.json', 'Consumers, A'],
      ['event-flow.json', 'Lag, A'],
    ] as const) {
      const dashboard = dashboards.get(file) as Dashboard;
      const query = queriesOf(dashboard).find((candidate) => candidate.where === where) as DashboardQuery;
      const [series] = await run(dashboard, query, all);
      const values = series?.values.map(([, value]) => value) ?? [];
      // 24 hours in steps of 10 minutes, of which only the last have samples.
      const sampled = values.findIndex((value) => value !== null);
      expect([where, sampled > 100]).toEqual([where, true]);
      const panel = panelsOf(dashboard.panels).find(({ title }) => where === `${title}, A`);
      expect([where, panel?.fieldConfig?.defaults.custom?.spanNulls]).toEqual([where, panel?.title === 'Flow' ? false : 120_000]); // prettier-ignore
    }
  });

  test('every query is understood with one and with several values chosen', async () => {
    for (const values of [['example.com'], ['amd64', 'a.b/c|d', "o'neil"]]) {
      const variables = { organization: values, architecture: values, source: values };
      for (const dashboard of dashboards.values()) {
        for (const query of queriesOf(dashboard)) await run(dashboard, query, { ...all, variables });
      }
    }
  });

  test('All counts anonymous pulls, a chosen organization its own', async () => {
    const dashboard = dashboards.get('usage.json') as Dashboard;
    const total = async (where: string, variables: Substitutions['variables'] = {}) => {
      const query = queriesOf(dashboard).find((candidate) => candidate.where === where) as DashboardQuery;
      return valuesOf(await run(dashboard, query, { ...all, variables }));
    };
    const pulls = samples().filter(({ type }) => type === 'io.weir.pull').length;
    expect(await total('Pulls, A')).toEqual([pulls]);
    expect(await total('Pulls, A', { organization: ['example.com'] })).toEqual([1]);
    expect(await total('Anonymous pulls, A')).toEqual([10]);
    expect(await total('Anonymous pulls, A', { organization: ['example.com'] })).toEqual([]);
  });

  test('what was pulled and by whom: downloads, kinds, places and patterns are told apart', async () => {
    const dashboard = dashboards.get('usage.json') as Dashboard;
    const organization = ['acme.example'];
    const counts = async (where: string) => {
      const query = queriesOf(dashboard).find((candidate) => candidate.where === where) as DashboardQuery;
      const rows = await run(dashboard, query, { ...all, interval: '1d', variables: { organization } });
      const sums = rows.map(({ tags, values }): [string, number] => [
        Object.values(tags ?? {}).join(),
        values.reduce((sum, [, value]) => sum + Number(value), 0),
      ]);
      return Object.fromEntries(sums);
    };
    expect(await counts('Downloads and invocations, A')).toEqual({ '': 4 });
    expect(await counts('Downloads and invocations, B')).toEqual({ '': 3 });
    expect(await counts('Pulls and downloads, B')).toEqual({ '': 3 });
    expect(await counts('Pulls by kind, A')).toEqual({ image: 2, 'helm-chart': 1, artifact: 1 });
    expect(await counts('Pulls by pattern, A')).toEqual({ development: 2, 'production-or-poller': 2 });
    expect(await counts('Countries, A')).toEqual({ DE: 2, FR: 2 });
    expect(await counts('Clouds, A')).toEqual({ aws: 2, gcp: 2 });
  });
});

/** Every value that is no time and no name. */
function valuesOf(rows: readonly Rows[]): unknown[] {
  return rows.flatMap(({ columns, values }) =>
    values.flatMap((row) => row.filter((_, column) => columns[column] !== 'time' && columns[column] !== 'key')),
  );
}

/** Events of every kind over the last two hours, known ones in every variety that a panel tells apart. */
function samples(): WeirEvent[] {
  const events: WeirEvent[] = [];
  const add = (type: string, data: object, source = 'weir/gateway') => {
    events.push(createEvent(type, data, { source, time: minutesAgo((events.length * 7) % 120) }));
  };
  for (const { type, example, reserved } of catalogue) if (!reserved) add(type, example);
  for (const outcome of ['succeeded', 'failed', 'cancelled', 'timed-out']) {
    for (const kind of ['build', 'mirror', 'scan']) {
      const data = { repository: 'acme/app', platform: 'linux/arm64', user: { organization: 'acme.example' } };
      add(`io.weir.${kind}`, data, 'weir/build-service');
      add(`io.weir.${kind}.finished`, { ...data, outcome, durationMs: 1000 * events.length }, 'weir/build-service');
    }
  }
  for (let n = 0; n < 10; n += 1) {
    const client = { name: n % 2 ? 'containerd' : 'skopeo', version: '1' };
    add('io.weir.pull', {
      repository: 'library/alpine',
      tag: 'latest',
      platform: 'linux/amd64',
      fusion: n % 3 === 0,
      client,
    });
  }
  for (const [n, kind] of ['image', 'helm-chart', 'artifact', 'image'].entries()) {
    const network = { name: 'Example, Inc.', asn: 64_500 + n, cloud: n % 2 ? 'aws' : 'gcp' };
    const pattern = n % 2 ? 'development' : 'production-or-poller';
    const user = { organization: 'acme.example' };
    const data = {
      repository: 'acme/app',
      platform: 'linux/arm64',
      user,
      kind,
      country: n % 2 ? 'DE' : 'FR',
      network,
      pattern,
    };
    add('io.weir.pull', data);
    if (n < 3) add('io.weir.download', { ...data, pull: `pull ${n}`, layers: 2, bytes: 1000 });
  }
  for (const kind of ['build', 'mirror']) add(`io.weir.${kind}`, { repository: 'acme/app', platform: 'linux/amd64' });
  add('io.weir.health', { service: 'registry', healthy: false }, 'monitor');
  add('io.weir.outage', { service: 'registry', state: 'up' }, 'monitor');
  add('com.example.deployed', { what: 'ever' }, 'ci');
  return events;
}

/** Publishes the events and has a worker write them, and a sample of the queues. */
async function fill(database: string, events: readonly WeirEvent[]): Promise<void> {
  const directory = await temporaryDirectory();
  const broker = await isolated.amqp();
  releases.push(directory.remove, broker.remove);
  const log = pino({ level: 'silent' });
  const publisher = createPublisher({
    url: broker.url,
    spoolDir: `${directory.path}/spool`,
    log,
    metrics: new Registry(),
  });
  releases.push(() => publisher.close());
  await until(() => publisher.ready() === true);
  for (const outcome of await publisher.publishAll(events)) expect(outcome.status).toBe('fulfilled');

  const config = readConfig(influxWorker.variables, {
    AMQP_URL: broker.url,
    INFLUX_URL: store.url,
    INFLUX_DATABASE: database,
    INFLUX_FLOW_DATABASE: `${database}_flow`,
    INFLUX_FLOW_INTERVAL_MS: '200',
  });
  const aborter = new AbortController();
  releases.push(() => aborter.abort());
  startWorker(influxWorker, config, {
    log,
    metrics: new Registry(),
    health: createHealth(),
    signal: aborter.signal,
    onStop: (_, release) => void releases.push(release),
  });
  await until(async () => (await store.points(database)) === events.length);
  await until(async () => (await store.query(`${database}_flow`, 'SELECT last("lagMs") FROM "worker"')).length > 0);
}
