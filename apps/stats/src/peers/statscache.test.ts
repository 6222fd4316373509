import { createEvent } from '@weir/events';
import { until } from '@weir/testing';
import { isCube, statistics, type Description } from '@weir/usage';
import { authorization, giveApi, scoped, type TestApi } from '../api.test-support';
import { serve, serveEvents, type Seen } from './peers.test-support';

const NOW = new Date('2026-11-20T10:30:00Z');
const seconds = (time: string) => Date.parse(time) / 1000;

let api: TestApi;
let base: string;

giveApi((given) => (api = given));

const VOLUME: Description = {
  name: 'volume',
  summary: 'Events.',
  description: 'Events by category.',
  measures: { events: { summary: 'An event.' } },
  dimensions: { category: 'Of which sort.', name: 'Of what.' },
  groups: [['category'], ['category', 'name']],
  latest: [],
  keepDays: { hour: 15, day: 800 },
  names: 100_000,
  state: 'live',
  failures: 0,
};

const seen = (time: string, category?: string, events = 1, name?: string): Seen => ({
  time,
  measures: { events },
  dimensions: { category, name },
});

async function statscacheOf(events: readonly Seen[]): Promise<void> {
  base = await serve(api, VOLUME, events, NOW);
}

const request = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${base}/api${path}`, { method, headers: { authorization, accept: '*/*', ...headers } });

async function rowsAt(path: string): Promise<Record<string, unknown>[]> {
  const response = await request(path);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  return (await response.json()) as Record<string, unknown>[];
}

async function said(path: string, headers?: Record<string, string>): Promise<[number, string]> {
  const response = await request(path, headers);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  return [response.status, await response.text()];
}

const midnight = (day: number) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString();
/** One event on each of so many days of 2026: the first of January has one, the second two … */
const daily = (days: number) => Array.from({ length: days }, (_, day) => seen(midnight(day), 'a', day + 1));

const IDENTS = ['volume', 'volume-by-category', 'volume-by-category-and-name'].flatMap((name) =>
  ['1h', '1d', '7d', '30d'].map((schedule) => `${name}-${schedule}`),
);

describe('the index', () => {
  beforeEach(() => statscacheOf([]));

  test('is a list of all that can be asked for', async () => {
    expect(await rowsAt('/')).toEqual(IDENTS);
    expect(await (await request('')).json()).toEqual(IDENTS);
    const { headers } = await request('/');
    expect([headers.get('access-control-allow-origin'), headers.get('x-link-count')]).toEqual([null, null]);
  });

  test('is lines as CSV, and a call as JSONP', async () => {
    const csv = await request('/', { accept: 'text/csv' });
    expect([csv.headers.get('content-type'), await csv.text()]).toEqual(['text/csv; charset=utf-8', IDENTS.join('\n')]);
    const jsonp = await request('/?callback=jQuery1.cb_2', { accept: 'application/json' });
    expect([jsonp.headers.get('content-type'), await jsonp.text()]).toEqual(['application/javascript; charset=utf-8', `/**/jQuery1.cb_2(${JSON.stringify(IDENTS)})`]); // prettier-ignore
  });
});

test.each<[string, number, string]>([
  ['*/*', 200, 'application/json'],
  ['text/csv', 200, 'text/csv'],
  ['application/csv', 200, 'application/csv'],
  ['text/*', 200, 'application/json'],
  ['application/csv;q=0.5,text/json;q=0.9', 200, 'application/json'],
  ['text/csv, application/json', 200, 'application/json'],
  ['text/html,*/*;q=0.8', 200, 'application/json'],
  ['application/javascript', 200, 'application/json'],
  ['text/html', 406, 'text/plain'],
  ['application/xml', 406, 'text/plain'],
  ['', 406, 'text/plain'],
])('who accepts %j gets %d, %s', async (accept, status, type) => {
  await statscacheOf([seen('2026-11-19T00:00:00Z', 'a')]);
  for (const path of ['/', '/volume-1d']) {
    const response = await request(path, { accept });
    expect([response.status, response.headers.get('content-type')]).toEqual([status, `${type}; charset=utf-8`]);
    if (status === 406) expect(await response.text()).toBe(`Content-type(s) not available${path === '/' ? '' : ' for volume-1d'}`); // prettier-ignore
  }
});

describe('a feed', () => {
  test('has a row for each interval and combination, the latest first, called after the end of the interval', async () => {
    await statscacheOf([
      seen('2026-11-18T23:59:59Z', 'git', 2, 'x'),
      seen('2026-11-19T00:00:00Z', 'git', 3, 'x'),
      seen('2026-11-19T05:00:00Z', 'wiki', 4, 'y'),
      seen('2026-11-19T05:30:00Z', undefined, 1, 'y'),
    ]);
    const [first, second] = [seconds('2026-11-19T00:00:00Z'), seconds('2026-11-20T00:00:00Z')];
    expect(await rowsAt('/volume-by-category-1d')).toEqual([
      { timestamp: second, volume: 4, category: 'wiki' },
      { timestamp: second, volume: 3, category: 'git' },
      { timestamp: second, volume: 1, category: null },
      { timestamp: first, volume: 2, category: 'git' },
    ]);
    expect(await rowsAt('/volume-1d?order=asc')).toEqual([
      { timestamp: first, volume: 2 },
      { timestamp: second, volume: 8 },
    ]);
    expect(await rowsAt('/volume-by-category-and-name-1h?limit=2')).toEqual([
      { timestamp: seconds('2026-11-19T06:00:00Z'), volume: 4, category: 'wiki', name: 'y' },
      { timestamp: seconds('2026-11-19T06:00:00Z'), volume: 1, category: null, name: 'y' },
    ]);
  });

  test('of 7 and of 30 days has the blocks that the cubes have', async () => {
    await statscacheOf([seen('2026-11-19T12:00:00Z', 'a'), seen('2026-11-10T12:00:00Z', 'a', 5), seen('2026-10-01T00:00:00Z', 'a', 7)]); // prettier-ignore
    expect(await rowsAt('/volume-7d')).toEqual([
      { timestamp: seconds('2026-11-12T00:00:00Z'), volume: 5 },
      { timestamp: seconds('2026-10-08T00:00:00Z'), volume: 7 },
    ]);
    expect(await rowsAt('/volume-7d?limit=1&stop=1795651200')).toEqual([{ timestamp: seconds('2026-11-26T00:00:00Z'), volume: 1 }]); // prettier-ignore
    const ends = (await rowsAt('/volume-30d?order=asc&stop=1800000000')).map(({ timestamp, volume }) => [Number(timestamp) % (30 * 86_400), volume]); // prettier-ignore
    expect(ends).toEqual([[0, 7], [0, 6]]); // prettier-ignore
  });

  test('start and stop are both included', async () => {
    await statscacheOf(daily(5));
    const ends = async (query: string) => (await rowsAt(`/volume-1d?order=asc&${query}`)).map(({ volume }) => volume);
    const [second, fourth] = [seconds(midnight(2)), seconds(midnight(4))];
    expect(await ends(`start=${second}&stop=${fourth}`)).toEqual([2, 3, 4]);
    expect(await ends(`start=${second}.5&stop=${fourth - 1}`)).toEqual([3]);
    expect(await ends(`start=${second}`)).toEqual([2, 3, 4, 5]);
    expect(await ends(`stop=${second}`)).toEqual([1, 2]);
    expect(await ends('start=5&stop=4')).toEqual([]);
  });

  test('what goes on is not told before it is over, unless somebody asks for it', async () => {
    await statscacheOf([seen('2026-11-20T09:59:00Z', 'a'), seen('2026-11-20T10:10:00Z', 'a', 3)]);
    expect(await rowsAt('/volume-1h')).toEqual([{ timestamp: seconds('2026-11-20T10:00:00Z'), volume: 1 }]);
    expect(await rowsAt(`/volume-1h?stop=${seconds('2026-11-20T11:00:00Z')}`)).toHaveLength(2);
    expect(await rowsAt('/volume-1d')).toEqual([]);
  });
});

test('of what the redis-worker counts by itself there is every measure, by each of its groups', async () => {
  const midnightToday = Math.floor(Date.now() / 86_400_000) * 86_400;
  const time = new Date((midnightToday - 3600) * 1000);
  const events = [
    createEvent('io.weir.pull', { repository: 'a', user: { organization: 'acme.org' } }, { source: 'test', time }),
    createEvent('io.weir.build', { repository: 'a' }, { source: 'test', time }),
  ];
  base = await serveEvents(api, statistics.filter(isCube), events, new Date());
  const timestamp = midnightToday;
  expect(await rowsAt('/volume-by-category-1d')).toEqual([
    { timestamp, volume: 1, category: 'build' },
    { timestamp, volume: 1, category: 'pull' },
  ]);
  expect(await rowsAt('/pulls-by-organization-1h')).toEqual([{ timestamp, pulls: 1, organization: 'acme.org' }]);
  expect(await rowsAt('/builds-started-1d')).toEqual([{ timestamp, started: 1 }]);
  const idents = (await rowsAt('/')) as unknown as string[];
  expect(new Set(idents).size).toBe(idents.length);
  for (const ident of idents.filter((each) => each.endsWith('-1d') && !each.includes('-and-'))) expect((await request(`/${ident}`)).status).toBe(200);
}, 120_000); // prettier-ignore

describe('pages', () => {
  interface Page {
    volumes: unknown[];
    count: string | null;
    number: string | null;
    links: Record<string, string>;
  }

  async function page(path: string): Promise<Page> {
    const { status, headers, ...response } = await request(path).then(async (given) => ({ status: given.status, headers: given.headers, body: (await given.json()) as Record<string, unknown>[] })); // prettier-ignore
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-expose-headers')).toBe('Link, X-Link-Number, X-Link-Count');
    const links = [...(headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)];
    return {
      volumes: response.body.map(({ volume }) => volume),
      count: headers.get('x-link-count'),
      number: headers.get('x-link-number'),
      links: Object.fromEntries(links.map(([, url = '', relation = '']) => [relation, url.replace(/^\/api/, '')])),
    };
  }

  const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, at) => from - at);

  test.each([250, 150])('page 2 of %d rows has what page 1 has left', async (rows) => {
    await statscacheOf(daily(rows));
    const second = await page('/volume-1d?page=2');
    expect(second.volumes).toEqual(down(rows - 100, Math.max(rows - 199, 1)));
    expect([second.count, second.number]).toEqual([String(Math.ceil(rows / 100)), '2']);
  });

  test('whoever follows the links has all rows once, with the filters that were asked for', async () => {
    await statscacheOf(daily(60));
    const query = `order=asc&start=${seconds(midnight(6))}&limit=40&rows_per_page=15&_=1`;
    const pages: Page[] = [];
    for (let next: string | undefined = `/volume-1d?${query}`; next !== undefined;) {
      const found: Page = await page(next);
      pages.push(found);
      next = found.links['next'];
    }
    expect(pages.flatMap(({ volumes }) => volumes)).toEqual(Array.from({ length: 40 }, (_, at) => at + 6));
    expect(pages.map(({ volumes, count, number }) => [volumes.length, count, number])).toEqual([[15, '3', '1'], [15, '3', '2'], [10, '3', '3']]); // prettier-ignore
    expect(Object.keys(pages[0]?.links ?? {})).toEqual(['next']);
    expect(Object.keys(pages[1]?.links ?? {})).toEqual(['previous', 'next']);
    expect(Object.keys(pages[2]?.links ?? {})).toEqual(['previous']);
    expect(await page(pages[2]?.links['previous'] ?? '')).toEqual(pages[1]);
    const asked = new URLSearchParams(pages[0]?.links['next']?.split('?')[1]);
    expect([...asked.keys()]).toEqual(['order', 'start', 'limit', 'rows_per_page', '_', 'stop', 'page']);
    expect(asked.get('stop')).toBe(String(NOW.getTime() / 1000));
  });

  test('a page may end within an interval, whatever the order', async () => {
    const names = Array.from({ length: 7 }, (_, at) => `n${at}`);
    const events = [0, 1, 2].flatMap((day) => names.map((name, at) => seen(midnight(day), 'a', 100 * day + at + 1, name))); // prettier-ignore
    await statscacheOf(events);
    for (const order of ['asc', 'desc']) {
      const whole = (await page(`/volume-by-category-and-name-1d?order=${order}`)).volumes;
      const parts = [1, 2, 3, 4, 5].map((number) => page(`/volume-by-category-and-name-1d?order=${order}&rows_per_page=5&page=${number}`)); // prettier-ignore
      expect((await Promise.all(parts)).flatMap(({ volumes }) => volumes)).toEqual(whole);
      expect(whole.slice(0, 2)).toEqual(order === 'asc' ? [7, 6] : [207, 206]);
    }
  });

  test('at most 100 rows are on a page, and no row is none', async () => {
    await statscacheOf(daily(120));
    expect((await page('/volume-1d?rows_per_page=1000')).volumes).toHaveLength(100);
    expect(await page('/volume-1d?limit=0')).toEqual({ volumes: [], count: '0', number: '1', links: {} });
    expect(await page('/volume-1h')).toEqual({ volumes: [], count: '0', number: '1', links: {} });
    expect((await page('/volume-1d?limit=30')).count).toBe('1');
  });

  test('12,000 names of a day and as many of another are all there', async () => {
    const names = Array.from({ length: 12_000 }, (_, at) => `n${at}`);
    await statscacheOf([40, 50].flatMap((day) => names.map((name, at) => seen(midnight(day), 'a', at + 1, name))));
    const last = await page('/volume-by-category-and-name-1d?page=240');
    expect([last.count, last.volumes[0], last.volumes.at(-1)]).toEqual(['240', 100, 1]);
    expect((await page('/volume-by-category-and-name-1d?page=121')).volumes[0]).toBe(12_000);
  });
});

test.each<[string, string]>([
  ['page=0', 'page must be a whole number from 1 on'],
  ['page=-1', 'page must be a whole number from 1 on'],
  ['page=x', 'page must be a whole number from 1 on'],
  ['page=', 'page must be a whole number from 1 on'],
  ['page=2', 'page must be at most 1: there are no more'],
  ['rows_per_page=0', 'rows_per_page must be a whole number from 1 on'],
  ['rows_per_page=1.5', 'rows_per_page must be a whole number from 1 on'],
  ['limit=-1', 'limit must be a whole number from 0 on'],
  ['limit=1e3', 'limit must be a whole number from 0 on'],
  ['start=yesterday', 'start must be a Unix time in seconds, such as 1448668800 or 1448668800.5'],
  ['stop=NaN', 'stop must be a Unix time in seconds, such as 1448668800 or 1448668800.5'],
  ['callback=alert(1)', 'callback must be the name of a function: letters, digits, _ and $, dots between, at most 100 characters'],
  [`callback=${'a'.repeat(101)}`, 'callback must be the name of a function: letters, digits, _ and $, dots between, at most 100 characters'],
  ['callback=%3Cscript%3E', 'callback must be the name of a function: letters, digits, _ and $, dots between, at most 100 characters'],
])('%s is refused, not failed', async (query, message) => {
  await statscacheOf(daily(3));
  expect(await said(`/volume-1d?${query}`)).toEqual([400, message]);
}); // prettier-ignore

describe('CSV', () => {
  test('has a head, columns in order of the alphabet, and quotes where it needs them', async () => {
    const odd = ['a,b', 'say "hi"', 'two\nlines', '=1+1'];
    await statscacheOf(odd.map((name, at) => seen('2026-11-19T00:00:00Z', 'c', at + 1, name)));
    const response = await request('/volume-by-category-and-name-1d?order=asc', { accept: 'text/csv' });
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(await response.text()).toBe(
      [
        'timestamp,category,name,volume',
        '1795132800.0,c,=1+1,4',
        '1795132800.0,c,"two\nlines",3',
        '1795132800.0,c,"say ""hi""",2',
        '1795132800.0,c,"a,b",1',
      ].join('\n'),
    );
  });

  test('of nothing is the head; a name that is not known is empty', async () => {
    await statscacheOf([seen('2026-11-19T00:00:00Z')]);
    const csv = async (path: string) => (await request(path, { accept: 'application/csv' })).text();
    expect(await csv('/volume-by-category-1h?stop=5')).toBe('timestamp,category,volume');
    expect(await csv('/volume-by-category-1d')).toBe('timestamp,category,volume\n1795132800.0,,1');
  });
});

describe('JSONP', () => {
  test('is a call of a function with the rows', async () => {
    await statscacheOf([seen('2026-11-19T00:00:00Z', '\u2028</script>')]);
    const response = await request('/volume-by-category-1d?callback=show', { accept: 'text/javascript' });
    expect(response.headers.get('content-type')).toBe('application/javascript; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const text = await response.text();
    const rows: unknown[] = [];
    new Function('show', text)((given: unknown) => rows.push(given));
    expect(rows).toEqual([[{ category: '\u2028</script>', volume: 1, timestamp: 1_795_132_800 }]]);
    expect(text).not.toContain('\u2028');
  });

  test('is not answered to scripts of other sites, which would come with the password that a browser remembers', async () => {
    await statscacheOf(daily(1));
    const crossSite = { 'sec-fetch-site': 'cross-site' };
    expect(await said('/volume-1d?callback=show', crossSite)).toEqual([403, expect.stringMatching(/JSONP/)]);
    expect((await request('/volume-1d?callback=show', { 'sec-fetch-site': 'same-site' })).status).toBe(200);
    expect((await request('/volume-1d', crossSite)).status).toBe(200);
  });
});

describe('a layout', () => {
  beforeEach(() => statscacheOf([]));

  test('says what the rows are', async () => {
    expect(await rowsAt('/volume-by-category-1d/layout')).toEqual({
      name: 'volume',
      summary: 'Events.',
      description: 'Events by category.',
      interval: 86_400,
      columns: {
        timestamp: 'end of the interval, Unix time in seconds',
        category: 'Of which sort.',
        volume: 'An event.',
      },
    });
  });

  test('is JSON only, and only of what there is', async () => {
    expect(await said('/volume-1d/layout', { accept: 'text/csv' })).toEqual([406, 'Content-type(s) not available for volume-1d']); // prettier-ignore
    expect(await said('/volume-2d/layout')).toEqual([404, 'No such resource for volume-2d']);
  });
});

test('what is not there is 404, what is not read 405', async () => {
  await statscacheOf([]);
  for (const ident of ['volume', 'volume-2d', 'Volume-1d', '<script>', '__proto__']) {
    const missing = await request(`/${encodeURIComponent(ident)}`);
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'application/json; charset=utf-8']);
    expect(await missing.text()).toBe(JSON.stringify(`No such model for '${ident}'`));
  }
  expect(await said('/volume-1d/other')).toEqual([404, 'No such resource']);
  expect(await said('/%ff')).toEqual([400, 'the request cannot be read']);
  for (const path of ['/', '/volume-1d', '/volume-1d/layout']) {
    const posted = await request(path, {}, 'POST');
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await request(path, {}, 'HEAD')).status).toBe(200);
  }
});

test('who has no account learns nothing, who has one organization is told where to ask', async () => {
  await statscacheOf([]);
  for (const path of ['/', '/volume-1d', '/nothing', '/volume-1d/layout']) {
    const response = await request(path, { authorization: 'Basic YWRhOndyb25n' });
    expect([response.status, response.headers.get('www-authenticate'), await response.text()]).toEqual([401, expect.stringMatching(/^Basic realm=/), 'Unauthorized']); // prettier-ignore
    expect(await said(path, { authorization: scoped.key })).toEqual([403, expect.stringMatching(/v1\/query/)]);
  }
});

test('while Redis is away the answer is 503, and comes back with Redis', async () => {
  await statscacheOf(daily(1));
  await api.server.stop();
  await until(async () => (await api.reading.ready()) !== true);
  expect(await said('/volume-1d')).toEqual([503, expect.stringMatching(/try again later/)]);
  await api.server.start();
  await until(async () => (await api.reading.ready()) === true);
  expect(await rowsAt('/volume-1d')).toHaveLength(1);
});
