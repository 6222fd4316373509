import { createEvent, type WeirEvent } from '@weir/events';
import { until } from '@weir/testing';
import { isCube, statistics, type Cube } from '@weir/usage';
import { authorization, giveApi, scoped, type TestApi } from '../api.test-support';
import { serveEvents } from './peers.test-support';

const DAY_MS = 86_400_000;
/** So many days before yesterday: buckets are kept by the clock of Redis, which is the one of everybody else. */
const dayBefore = (days: number) => new Date(Date.now() - (days + 1) * DAY_MS).toISOString().slice(0, 10);
const today = dayBefore(0);
const NOW = new Date(`${today}T10:30:00.500Z`);
const [EARLY, LAST_WEEK, TODAY] = [`${dayBefore(354)}T05:00:00Z`, `${dayBefore(8)}T05:00:00Z`, `${today}T09:10:00Z`] as const; // prettier-ignore
const seconds = (time: string) => Date.parse(time) / 1000;

let api: TestApi;
let base: string;

giveApi((given) => (api = given));

interface Done {
  namespace?: string;
  type?: string;
  application?: string;
  program?: string;
  programType?: string;
  times?: number;
}

/** What somebody did to an entity, so many times. */
function did(action: string, entityName: string, time: string, { namespace = 'default', type = 'dataset', times = 1, ...accessor }: Done = {}): WeirEvent[] {
  const data = { namespace, entityType: type, entityName, action, accessor };
  return Array.from({ length: times }, () => createEvent('io.weir.audit', data, { source: 'test', time: new Date(time) }));
} // prettier-ignore

const ACTIONS = ['read', 'write', 'unknown', 'create', 'update', 'truncate', 'delete', 'metadata_change'];

/** The tracker over exactly these events, as the redis-worker counts them. */
async function trackerOf(events: readonly WeirEvent[], cubes: readonly Cube[] = statistics.filter(isCube)): Promise<void> {
  base = await serveEvents(api, cubes, events, NOW);
} // prettier-ignore

const METHODS = 'apps/_Tracker/services/TrackerService/methods/v1';
const request = (path: string, init: RequestInit = { headers: { authorization } }, namespace = 'default') =>
  fetch(`${base}/v3/namespaces/${namespace}/${METHODS}/${path}`, init);

async function answer(path: string, namespace?: string): Promise<unknown> {
  const response = await request(path, undefined, namespace);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  return response.json();
}

async function said(path: string, init?: RequestInit): Promise<[number, string]> {
  const response = await request(path, init);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  return [response.status, await response.text()];
}

describe('top entities', () => {
  beforeEach(() =>
    trackerOf([
      ...did('read', 'orders', EARLY, { application: 'shop', program: 'cart', times: 9 }),
      ...did('read', 'clicks', LAST_WEEK, { type: 'stream', application: 'web', program: 'collect', times: 4 }),
      ...did('write', 'clicks', LAST_WEEK, { type: 'stream', application: 'web', program: 'collect', times: 2 }),
      ...did('write', 'orders', TODAY, { application: 'shop', program: 'cart', times: 2 }),
      ...did('read', 'orders', TODAY, { application: 'shop', program: 'report', programType: 'mapreduce' }),
      ...did('unknown', 'users', TODAY, { times: 20 }),
      ...did('unknown', 'users', TODAY, { application: 'web', times: 3 }),
      ...did('read', 'Tables', TODAY, { type: 'view', application: 'web', program: 'show', times: 2 }),
      ...did('create', 'users', TODAY, { times: 50 }),
      ...did('read', 'secrets', TODAY, { namespace: 'other', application: 'spy', program: 'cart', times: 99 }),
    ]),
  );

  test.each(['top-entities', 'topEntities'])('%s of all time: datasets by what was read and written', async (path) => {
    expect(await answer(`auditmetrics/${path}/datasets`)).toEqual([
      { entityName: 'orders', entityType: 'dataset', read: 10, write: 2 },
      { entityName: 'clicks', entityType: 'stream', read: 4, write: 2 },
      { entityName: 'users', entityType: 'dataset', read: 0, write: 0 },
    ]);
  });

  test('a window has what happened in it, and nothing from before: the peer answers nothing at all', async () => {
    expect(await answer('auditmetrics/top-entities/datasets?startTime=now-7d')).toEqual([
      { entityName: 'orders', entityType: 'dataset', read: 1, write: 2 },
      { entityName: 'users', entityType: 'dataset', read: 0, write: 0 },
    ]);
    expect(await answer('auditmetrics/top-entities/datasets?startTime=now-10d&limit=1')).toEqual([
      { entityName: 'clicks', entityType: 'stream', read: 4, write: 2 },
    ]);
    const before = `startTime=${seconds(EARLY) - 86_400}&endTime=${seconds(EARLY) + 86_400}`;
    expect(await answer(`auditmetrics/top-entities/applications?${before}`)).toEqual([
      { entityName: 'shop', value: 9 },
    ]);
    expect(await answer('auditmetrics/top-entities/programs?startTime=now-20m&endTime=now-10m')).toEqual([]);
  });

  test('programs and applications have names; accesses that name none are nobody’s', async () => {
    expect(await answer('auditmetrics/top-entities/programs')).toEqual([
      { entityName: 'cart', application: 'shop', value: 11 },
      { entityName: 'collect', application: 'web', value: 6 },
      { entityName: 'show', application: 'web', value: 2 },
      { entityName: 'report', application: 'shop', programType: 'mapreduce', value: 1 },
    ]);
    expect(await answer('auditmetrics/top-entities/applications')).toEqual([
      { entityName: 'shop', value: 12 },
      { entityName: 'web', value: 11 },
    ]);
    expect(await answer('auditmetrics/top-entities/programs?limit=1&startTime=now-1d')).toEqual([
      { entityName: 'cart', application: 'shop', value: 2 },
    ]);
  });

  test('of one entity, when both its type and its name are given; datasets are not asked for one', async () => {
    const entity = 'entityType=Stream&entityName=clicks';
    expect(await answer(`auditmetrics/top-entities/programs?${entity}`)).toEqual([
      { entityName: 'collect', application: 'web', value: 6 },
    ]);
    expect(await answer(`auditmetrics/top-entities/applications?${entity}`)).toEqual([{ entityName: 'web', value: 6 }]);
    expect(await answer('auditmetrics/top-entities/applications?entityType=stream')).toHaveLength(2);
    expect(await answer('auditmetrics/top-entities/applications?entityName=clicks&entityType=')).toHaveLength(2);
    expect(await answer(`auditmetrics/top-entities/datasets?${entity}`)).toHaveLength(3);
  });

  test('a namespace sees its own, and one that nobody knows sees nothing', async () => {
    expect(await answer('auditmetrics/top-entities/applications', 'other')).toEqual([{ entityName: 'spy', value: 99 }]);
    expect(await answer('auditmetrics/top-entities/datasets', 'nobody')).toEqual([]);
  });

  test('ends that lie far away are as good as none: clients send milliseconds', async () => {
    const all = await answer('auditmetrics/top-entities/datasets');
    expect(await answer(`auditmetrics/top-entities/datasets?endTime=${NOW.getTime()}`)).toEqual(all);
    expect(await answer('auditmetrics/top-entities/datasets?startTime=now-99999d&endTime=now%2B99999d')).toEqual(all);
    expect(await answer('auditmetrics/top-entities/datasets?startTime=0&endTime=5')).toEqual([]);
  });
});

describe('what cannot be meant is refused in the words of the peer, and in its order:', () => {
  const LIMIT = 'limit cannot be negative or zero.';
  const FORMAT = 'startTime or endTime was not in the correct format. Use unix timestamps or date mathematics such as now-1h.';
  const FRAME = 'startTime cannot be greater than endTime.';
  const PATH = 'Invalid request for top entities: path not recognized.';
  const ENTITY = 'entityName and entityType must be specified.';

  beforeEach(() => trackerOf([]));

  test.each<[string, string]>([
    ['top-entities/datasets?limit=0', LIMIT],
    ['top-entities/datasets?limit=-1', LIMIT],
    ['top-entities/datasets?limit=x', 'limit must be a whole number.'],
    ['top-entities/datasets?startTime=yesterday', FORMAT],
    ['top-entities/datasets?endTime=NOW', FORMAT],
    ['top-entities/datasets?startTime=', FORMAT],
    ['top-entities/datasets?startTime=now-1h&endTime=now-2h', FRAME],
    ['top-entities/datasets?startTime=5&endTime=5', FRAME],
    ['top-entities/everything', PATH],
    ['top-entities/everything?limit=0&startTime=x', LIMIT],
    ['top-entities/everything?startTime=now&endTime=x', FORMAT],
    ['top-entities/everything?startTime=now', FRAME],
    ['audit-histogram?startTime=now-1w', FORMAT],
    ['audit-histogram?startTime=2016-08-23', FORMAT],
    ['audit-histogram?startTime=now', FRAME],
    ['time-since', ENTITY],
    ['time-since?entityType=dataset', ENTITY],
    ['time-since?entityType=&entityName=a', ENTITY],
  ])('%s', async (path, message) => expect(await said(`auditmetrics/${path}`)).toEqual([400, message]));
}); // prettier-ignore

describe('audit-histogram', () => {
  const histogram = (query: string) => answer(`auditmetrics/audit-histogram?${query}`);

  test('days of all messages, whatever was done, without those that have none', async () => {
    const everything = ACTIONS.flatMap((action) => did(action, 'orders', `${dayBefore(10)}T03:00:00Z`));
    await trackerOf([...everything, ...did('read', 'users', TODAY, { times: 2 }), ...did('read', 'a', TODAY, { namespace: 'b' })]); // prettier-ignore
    expect(await histogram('')).toEqual({
      results: [
        { timestamp: seconds(dayBefore(10)), value: 8 },
        { timestamp: seconds(today), value: 2 },
      ],
      bucketInterval: 'DAY',
    });
    expect(await histogram('entityType=DATASET&entityName=users')).toEqual({
      results: [{ timestamp: seconds(today), value: 2 }],
      bucketInterval: 'DAY',
    });
  });

  test.each([
    ['now-5d', 'HOUR'],
    ['now-6d', 'HOUR'],
    ['now-7d', 'DAY'],
    ['now-8d', 'DAY'],
    ['0', 'DAY'],
  ])('from %s on it has buckets of an %s', async (start, bucketInterval) => {
    await trackerOf(did('read', 'a', TODAY));
    const timestamp = seconds(bucketInterval === 'HOUR' ? `${today}T09:00:00Z` : today);
    expect(await histogram(`startTime=${start}`)).toEqual({ results: [{ timestamp, value: 1 }], bucketInterval });
  });

  test('a range has the buckets whose starts lie in it, both ends included', async () => {
    await trackerOf(['08', '09', '10'].flatMap((hour) => did('read', 'a', `${today}T${hour}:10:00Z`)));
    const hours = async (start: string, end: string) => {
      const range = `startTime=${seconds(`${today}T${start}Z`)}&endTime=${seconds(`${today}T${end}Z`)}`;
      const { results } = (await histogram(range)) as { results: { timestamp: number }[] };
      return results.map(({ timestamp }) => new Date(timestamp * 1000).getUTCHours());
    };
    expect(await hours('08:00:00', '10:00:00')).toEqual([8, 9, 10]);
    expect(await hours('08:00:01', '09:59:59')).toEqual([9]);
    expect(await hours('07:00:00', '08:00:00')).toEqual([8]);
    expect(await hours('08:10:00', '08:50:00')).toEqual([]);
  });

  test('without anything it says DAY, as the peer does', async () => {
    await trackerOf([]);
    expect(await histogram('startTime=now-1h')).toEqual({ results: [], bucketInterval: 'DAY' });
  });

  test('hours that are kept no longer are days', async () => {
    await trackerOf(did('read', 'a', EARLY));
    const day = seconds(EARLY.slice(0, 10));
    expect(await histogram(`startTime=${day}&endTime=${day + 86_400}`)).toEqual({
      results: [{ timestamp: day, value: 1 }],
      bucketInterval: 'DAY',
    });
  });
});

describe('time-since', () => {
  beforeEach(() =>
    trackerOf([
      ...did('read', 'Orders', `${today}T10:29:00.900Z`),
      ...did('read', 'Orders', `${dayBefore(1)}T00:00:00Z`),
      ...did('write', 'orders', `${today}T10:00:00Z`),
      ...did('read', 'orders', `${today}T09:00:00Z`),
      ...['unknown', 'truncate', 'update', 'metadata_change', 'create', 'delete'].flatMap((action) => did(action, 'orders', `${today}T10:30:00Z`)),
      ...did('read', 'orders', TODAY, { namespace: 'other' }),
      ...did('read', 'orders', TODAY, { type: 'stream' }),
    ]),
  ); // prettier-ignore

  test.each(['entityType=dataset&entityName=orders', 'entityType=DATASET&entityName=ORDERS'])(
    '%s: seconds since the latest of each kind, whatever the capitals; nobody asks since when it is there',
    async (query) => {
      expect(await answer(`auditmetrics/time-since?${query}`)).toEqual({
        read: 60,
        write: 1800,
        unknown: 0,
        truncate: 0,
        update: 0,
        metadata_change: 0,
      });
    },
  );

  test('an entity that nobody knows has none', async () => {
    expect(await answer('auditmetrics/time-since?entityType=dataset&entityName=nobody')).toEqual({});
    expect(await answer('auditmetrics/time-since?entityType=dataset&entityName=orders', 'Other')).toEqual({
      read: seconds(`${today}T10:30:00Z`) - seconds(TODAY),
    });
  });
});

test('names are data, whatever is in them', async () => {
  const names = ['*', 'a/b', '__proto__', 'münchen', '%2F', 'a b', '?'];
  await trackerOf(names.flatMap((name) => did('read', name, TODAY, { namespace: 'n/s', application: name, program: name })));
  expect(await answer('auditmetrics/top-entities/datasets?limit=99', 'n%2Fs')).toHaveLength(names.length);
  for (const name of names) {
    const query = `entityType=dataset&entityName=${encodeURIComponent(name)}`;
    expect(await answer(`auditmetrics/top-entities/programs?${query}`, 'n%2Fs')).toEqual([{ entityName: name, application: name, value: 1 }]);
    expect(await answer(`auditmetrics/time-since?${query}`, 'n%2Fs')).toEqual({ read: 4800 });
  }
}); // prettier-ignore

test('what is not kept is said so', async () => {
  await trackerOf([]);
  expect(await said('auditlog/dataset/orders')).toEqual([501, expect.stringMatching(/only numbers/)]);
  expect(await said('tracker-meter', { method: 'POST', headers: { authorization }, body: '{}' })).toEqual([501, expect.stringMatching(/Scores/)]); // prettier-ignore
});

test('who has no account learns nothing, who has one organization is told where to ask', async () => {
  await trackerOf([]);
  for (const path of ['auditmetrics/top-entities/datasets', 'auditmetrics/time-since', 'auditlog/a/b', 'nothing']) {
    const response = await request(path, {});
    expect([response.status, response.headers.get('www-authenticate'), await response.text()]).toEqual([401, expect.stringMatching(/^Basic realm=/), 'Unauthorized']); // prettier-ignore
    expect(await said(path, { headers: { authorization: scoped.key } })).toEqual([
      403,
      expect.stringMatching(/v1\/query/),
    ]);
  }
});

test('what is not there is 404, what is not read 405, what cannot be read 400', async () => {
  await trackerOf([]);
  expect(await said('auditmetrics')).toEqual([404, 'There is nothing here.']);
  expect(await said('auditmetrics/top-entities')).toEqual([404, 'There is nothing here.']);
  const post = { method: 'POST', headers: { authorization } };
  expect(await said('auditmetrics/time-since', post)).toEqual([405, 'only GET and HEAD are allowed here']);
  expect(await said('auditmetrics/top-entities/%ff')).toEqual([400, 'the request cannot be read']);
});

test('where nothing has been counted at all, answers are empty', async () => {
  await trackerOf(did('read', 'a', TODAY), []);
  expect(await answer('auditmetrics/top-entities/datasets')).toEqual([]);
  expect(await answer('auditmetrics/audit-histogram')).toEqual({ results: [], bucketInterval: 'DAY' });
  expect(await answer('auditmetrics/time-since?entityType=a&entityName=b')).toEqual({});
});

test('while Redis is away the answer is 503, and comes back with Redis', async () => {
  await trackerOf(did('read', 'a', TODAY));
  await api.server.stop();
  await until(async () => (await api.reading.ready()) !== true);
  expect(await said('auditmetrics/top-entities/datasets')).toEqual([503, expect.stringMatching(/try again later/)]);
  await api.server.start();
  await until(async () => (await api.reading.ready()) === true);
  expect(await answer('auditmetrics/top-entities/datasets')).toHaveLength(1);
});
