import { randomUUID } from 'node:crypto';
import { createEvent, type WeirEvent } from '@weir/events';
import { until } from '@weir/testing';
import { createCounter, createQueries, createUniques, METRICS, statistics } from '@weir/usage';
import { authorization, giveApi, type TestApi } from './api.test-support';

let api: TestApi;
let base: string;

giveApi((given) => (api = given));

const tuesday = '2024-04-23';
const wednesday = '2024-04-24';

/** A read API over exactly these events, and no others. */
async function statsOf(events: readonly WeirEvent[]): Promise<void> {
  const prefix = `${randomUUID()}:`;
  const counter = createCounter({ redis: api.writing, statistics, prefix, dedupeSeconds: 1000 });
  for (let from = 0; from < events.length; from += 5000) await counter.count(events.slice(from, from + 5000));
  base = await api.serve({
    queries: createQueries({ redis: api.reading.redis, prefix }),
    uniques: createUniques({ redis: api.reading.redis, prefix, keepDays: 400 }),
  });
}

function event(kind: string, day: string, organization?: string, data: object = {}): WeirEvent {
  const user = organization === undefined ? {} : { user: { organization } };
  return createEvent(
    `io.weir.${kind}`,
    { repository: 'a', platform: 'linux/amd64', ...user, ...data },
    { source: 'test', time: new Date(`${day}T08:00:00Z`) },
  );
}

const request = (path: string, init: RequestInit = { headers: { authorization } }) => fetch(base + path, init);

/** The answer's status and body. */
async function get(path: string): Promise<[number, unknown]> {
  const response = await request(path);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return [response.status, await response.json()];
}

describe('after a few events', () => {
  beforeEach(() =>
    statsOf([
      event('pull', tuesday, 'org1.com'),
      event('pull', tuesday, 'org2.com', { platform: 'linux/arm/v7', fusion: true }),
      event('pull', tuesday),
      event('pull', wednesday, 'org1.com', { platform: 'linux/arm64' }),
      event('build', tuesday, 'org1.com', { platforms: ['linux/amd64', 'linux/arm64'] }),
      event('mirror', tuesday, 'org2.com'),
      event('scan', wednesday),
    ]),
  );

  test.each<[string, unknown]>([
    ['pulls', { metric: 'pulls', count: 3, orgs: { 'org1.com': 2, 'org2.com': 1 } }],
    [`pulls?date=${tuesday}`, { metric: 'pulls', count: 3, orgs: { 'org1.com': 1, 'org2.com': 1 } }],
    ['pulls?date=2023-01-01', { metric: 'pulls', count: 0 }],
    ['pulls?org=org1.com', { metric: 'pulls', count: 2, orgs: { 'org1.com': 2 } }],
    [`pulls?org=org1.com&date=${wednesday}`, { metric: 'pulls', count: 1, orgs: { 'org1.com': 1 } }],
    ['pulls?org=nobody', { metric: 'pulls', count: 0, orgs: { nobody: 0 } }],
    ['pulls?date=&org=', { metric: 'pulls', count: 3, orgs: { 'org1.com': 2, 'org2.com': 1 } }],
    ['fusion/pulls', { metric: 'fusion', count: 1, orgs: { 'org2.com': 1 } }],
    [`fusion/pulls?date=${wednesday}`, { metric: 'fusion', count: 0 }],
    ['builds', { metric: 'builds', count: 1, orgs: { 'org1.com': 1 } }],
    ['mirrors', { metric: 'mirrors', count: 1, orgs: { 'org2.com': 1 } }],
    ['scans', { metric: 'scans', count: 0 }],
    [`scans?date=${wednesday}`, { metric: 'scans', count: 1 }],
  ])('both versions answer %s', async (question, answer) => {
    expect(await get(`/v1alpha2/metrics/${question}`)).toEqual([200, answer]);
    expect(await get(`/v1alpha3/metrics/${question}`)).toEqual([200, answer]);
  });

  test.each<[string, unknown]>([
    ['pulls?arch=amd64', { metric: 'pulls', arch: 'amd64', count: 2, orgs: { 'org1.com': 1 } }],
    ['pulls?arch=x86_64', { metric: 'pulls', arch: 'amd64', count: 2, orgs: { 'org1.com': 1 } }],
    ['pulls?arch=x86-64', { metric: 'pulls', arch: 'amd64', count: 2, orgs: { 'org1.com': 1 } }],
    ['pulls?arch=arm', { metric: 'pulls', arch: 'arm', count: 1, orgs: { 'org2.com': 1 } }],
    ['pulls?arch=arm64', { metric: 'pulls', arch: 'arm64', count: 1, orgs: { 'org1.com': 1 } }],
    ['pulls?arch=aarch64', { metric: 'pulls', arch: 'arm64', count: 1, orgs: { 'org1.com': 1 } }],
    [`pulls?arch=arm64&date=${tuesday}`, { metric: 'pulls', arch: 'arm64', count: 0 }],
    [`pulls?arch=amd64&date=${tuesday}`, { metric: 'pulls', arch: 'amd64', count: 2, orgs: { 'org1.com': 1 } }],
    ['pulls?arch=arm&org=org1.com', { metric: 'pulls', arch: 'arm', count: 0, orgs: { 'org1.com': 0 } }],
    [`builds?arch=arm64&org=org1.com&date=${tuesday}`, { metric: 'builds', arch: 'arm64', count: 1, orgs: { 'org1.com': 1 } }],
    ['pulls?arch=', { metric: 'pulls', count: 3, orgs: { 'org1.com': 2, 'org2.com': 1 } }],
  ])('v1alpha3 answers %s', async (question, answer) => {
    expect(await get(`/v1alpha3/metrics/${question}`)).toEqual([200, answer]);
  }); // prettier-ignore

  test('v1alpha2 knows no architecture and ignores it', async () => {
    const all = { metric: 'pulls', count: 3, orgs: { 'org1.com': 2, 'org2.com': 1 } };
    expect(await get('/v1alpha2/metrics/pulls?arch=arm')).toEqual([200, all]);
  });

  test('a member that is null or empty is left out, a count of zero is not', async () => {
    expect(await (await request('/v1alpha3/metrics/scans')).text()).toBe('{"metric":"scans","count":0}');
    expect(await (await request(`/v1alpha3/metrics/scans?date=${wednesday}&arch=arm`)).text()).toBe(
      '{"metric":"scans","arch":"arm","count":0}',
    );
  });

  test.each(['v1alpha2', 'v1alpha3'])('%s refuses what cannot be meant, in the words of the peer', async (version) => {
    const refused = async (query: string) => get(`/${version}/metrics/pulls?${query}`);
    expect(await refused('date=2024-03-2')).toEqual([400, { message: 'date format should be yyyy-MM-dd' }]);
    expect(await refused('date=yesterday')).toEqual([400, { message: 'date format should be yyyy-MM-dd' }]);
    expect(await refused('date=2024-03-021')).toEqual([400, { message: 'date format should be yyyy-MM-dd' }]);
    expect(await refused('arch=64')).toEqual([
      400,
      { message: 'arch should be one of [amd64, x86_64, x86-64, arm64, aarch64, arm]' },
    ]);
    expect(await refused('date=2024-13-45')).toEqual([
      400,
      { message: 'date should be a day of the calendar: there is no 2024-13-45' },
    ]);
    expect(await refused('date=2023-02-29')).toMatchObject([400, {}]);
    expect(await refused('date=2024-03-02&date=2024-03-03')).toEqual([400, { message: 'date should be given once' }]);
    expect(await refused(`org=${'x'.repeat(254)}`)).toEqual([400, { message: 'org should be at most 253 characters' }]);
  });

  test.each(['/v1alpha3/metrics/pulls', '/v1alpha3/metrics/pulls?date=2024-13-45', '/v1alpha2/metrics/unknown'])(
    'without credentials %s says 401 and nothing else',
    async (path) => {
      for (const headers of [{}, { authorization: 'Basic YWRhOndyb25n' }, { authorization: 'Bearer ada' }]) {
        const response = await request(path, { headers } as RequestInit);
        expect(response.status).toBe(401);
        expect(response.headers.get('www-authenticate')).toBe('Basic realm="Wave Authentication"');
        expect(await response.json()).toEqual({ message: 'Unauthorized' });
      }
    },
  );

  test('what is not there is 404, and what is not read is 405, both as JSON', async () => {
    for (const path of [
      '/v1alpha3/metrics/unknown',
      '/v1alpha3/metrics/fusion',
      '/v1alpha1/metrics/pulls',
      '/nowhere',
      '/%2f',
    ]) {
      expect(await get(path)).toEqual([404, { message: 'Page Not Found' }]);
    }
    const posted = await request('/v1alpha3/metrics/pulls', { method: 'POST', headers: { authorization } });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await posted.json()).toEqual({ message: 'only GET and HEAD are allowed here' });
    expect((await request('/v1alpha3/metrics/pulls', { method: 'HEAD', headers: { authorization } })).status).toBe(200);
  });

  test('an answer says nothing about what made it', async () => {
    const { headers } = await request('/v1alpha3/metrics/pulls');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
  });
});

test('names of organizations are data, whatever is in them', async () => {
  const names = ['*', 'münchen', '"; drop', 'a/d/2024-01-01', '__proto__'];
  await statsOf(names.map((name) => event('pull', tuesday, name)));
  const text = await (await request(`/v1alpha3/metrics/pulls?date=${tuesday}`)).text();
  for (const name of names) expect(text).toContain(`${JSON.stringify(name)}:1`);
  const [, star] = await get(`/v1alpha3/metrics/pulls?org=${encodeURIComponent('*')}`);
  expect(star).toEqual({ metric: 'pulls', count: 1, orgs: { '*': 1 } });
});

test('the breakdown names every one of 30,000 organizations, and the count is their sum', async () => {
  const names = Array.from({ length: 30_000 }, (_, n) => `org-${n}.example`);
  await statsOf(names.map((name) => event('pull', tuesday, name)));
  for (const query of ['', `?date=${tuesday}`, '?arch=amd64']) {
    const [status, body] = await get(`/v1alpha3/metrics/pulls${query}`);
    const { count, orgs } = body as { count: number; orgs: Record<string, number> };
    expect([status, count, Object.keys(orgs).length]).toEqual([200, 30_000, 30_000]);
    expect(names.every((name) => orgs[name] === 1)).toBe(true);
  }
}, 120_000);

test('while Redis is away the answer is 503, and comes back with Redis', async () => {
  await statsOf(METRICS.map(() => event('pull', tuesday, 'org1.com')));
  await api.server.stop();
  await until(async () => (await api.reading.ready()) !== true);
  expect(await api.reading.ready()).toMatch(
    /^Redis at 127\.0\.0\.1:\d+: (connect ECONNREFUSED|the connection was closed)/,
  );
  const down = await request('/v1alpha3/metrics/pulls');
  expect([down.status, down.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await down.json()).toEqual({ message: 'the counters cannot be read at the moment; try again later' });
  await api.server.start();
  await until(async () => (await api.reading.ready()) === true);
  expect(await get('/v1alpha3/metrics/pulls')).toEqual([200, { metric: 'pulls', count: 5, orgs: { 'org1.com': 5 } }]);
});
