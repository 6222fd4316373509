import { randomUUID } from 'node:crypto';
import { createCubes, type Flow } from '@weir/usage';
import { authorization, giveApi, scoped, type TestApi } from '../api.test-support';
import { write, writeOther, volume, type Seen } from './cubes.test-support';
import { problemDocument, queryAnswer } from './schemas';

/** A Saturday. */
const NOW = Date.parse('2026-11-28T10:30:00Z');

let api: TestApi;
let base: string;
let prefix: string;

giveApi((given) => (api = given));

/** A read API over exactly these events. */
async function statsOf(events: readonly Seen[], flow: Flow = { gaps: async () => [] }, origins: string[] = []): Promise<void> {
  prefix = `${randomUUID()}:`;
  await write(api.writing, prefix, events);
  const cubes = createCubes({ redis: api.reading.redis, prefix, now: () => new Date(NOW) });
  base = await api.serve({ v1: { cubes, flow, now: () => NOW }, origins, prefix });
} // prettier-ignore

const at = (time: string, organization?: string, repository = 'app', client = 'docker'): Seen => ({
  time: `2026-11-${time}:00Z`,
  measures: { pulls: 1, bytes: 100 },
  dimensions: { repository, client, ...(organization === undefined ? {} : { organization }) },
});

const ask = (path: string, headers: Record<string, string> = {}) => fetch(`${base}${path}`, { headers: { authorization, ...headers } }); // prettier-ignore

/** An answer, held against its schema. */
async function answer(query: string, headers: Record<string, string> = {}) {
  const response = await ask(`/v1/query?statistic=pulls&${query}`, headers);
  const body: unknown = await response.json();
  expect([response.status, body]).toEqual([200, expect.anything()]);
  return queryAnswer.parse(body);
}

/** What is wrong with which parameter, and what would be allowed. */
async function refused(path: string): Promise<[string, string, string][]> {
  const response = await ask(path);
  expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
  const { errors = [] } = problemDocument.parse(await response.json());
  return errors.map(({ parameter, message, allowed }) => [parameter, message, allowed]);
}

const few = [
  at('28T10:05', 'acme.example'),
  at('28T09:59', 'acme.example', 'web'),
  at('27T08:00', 'acme.example', 'app', 'podman'),
  at('27T09:00', 'b.example'),
  at('27T23:59'),
  at('24T12:00', 'acme.example', 'web', 'helm'),
  at('17T12:00', 'b.example'),
];

describe('of a few pulls', () => {
  beforeEach(() => statsOf(few));

  test('everything that is said of an answer', async () => {
    expect(await answer('from=2026-11-27&to=2026-11-28')).toEqual({
      statistic: 'pulls',
      measure: 'pulls',
      from: '2026-11-27T00:00:00Z',
      to: '2026-11-28T00:00:00Z',
      resolution: 'day',
      by: [],
      filters: {},
      total: 3,
      anonymous: 1,
      other: 0,
      capped: false,
      groups: 1,
      complete: true,
      gaps: [],
      state: 'live',
      failures: 0,
      rows: [{ value: 3 }],
    });
  });

  test('without a range it is the last seven days, in whole hours', async () => {
    const { from, to, total } = await answer('');
    expect({ from, to, total }).toEqual({ from: '2026-11-21T10:00:00Z', to: '2026-11-28T11:00:00Z', total: 6 });
  });

  test.each<[string, object]>([
    ['by=organization', { rows: [{ organization: 'acme.example', value: 4 }, { organization: null, value: 1 }, { organization: 'b.example', value: 1 }], groups: 3 }],
    ['by=organization&top=1', { rows: [{ organization: 'acme.example', value: 4 }], groups: 3, rest: 2, top: 1 }],
    ['by=repository&organization=ACME.example', { rows: [{ repository: 'app', value: 2 }, { repository: 'web', value: 2 }], filters: { organization: 'acme.example' }, total: 4 }],
    ['by=repository,organization&organization=', { rows: [{ repository: 'app', organization: null, value: 1 }], filters: { organization: null }, total: 1 }],
    ['measure=bytes&client=docker', { measure: 'bytes', unit: 'bytes', total: 400, rows: [{ value: 400 }] }],
    ['from=yesterday&to=yesterday', { total: 3 }],
    ['from=1795737600&to=1795824000', { from: '2026-11-27T00:00:00Z', total: 3 }],
    ['from=now-1h', { from: '2026-11-28T09:00:00Z', to: '2026-11-28T11:00:00Z', total: 2, resolution: 'hour' }],
    ['from=this-year&weekday=tuesday', { weekday: ['tuesday'], total: 2, resolution: 'day' }],
    ['from=2026-11-17&to=2026-11-28&weekday=tuesday,friday&interval=day', { rows: [['17', 1], ['24', 1], ['27', 3]].map(([day, value]) => ({ time: `2026-11-${day}T00:00:00Z`, value })) }],
    ['from=2026-11-27&to=2026-11-28&interval=hour&client=docker', { rows: [['09', 1], ['23', 1]].map(([hour, value]) => ({ time: `2026-11-27T${hour}:00:00Z`, value })) }],
    ['from=2026-11-24&to=2026-11-27&interval=day&fill=zero', { rows: [['24', 1], ['25', 0], ['26', 0]].map(([day, value]) => ({ time: `2026-11-${day}T00:00:00Z`, value })) }],
    ['measure=&interval=&by=&top=&limit=', { total: 6, rows: [{ value: 6 }] }],
  ])('%s', async (query, expected) => {
    expect(await answer(query)).toMatchObject(expected);
  }); // prettier-ignore

  test('a range is compared with the one before it, row by row', async () => {
    const days = await answer('from=2026-11-27&to=2026-11-29&interval=day&compare=previous');
    expect(days).toMatchObject({
      rows: [{ time: '2026-11-27T00:00:00Z', value: 3, previous: 0 }, { time: '2026-11-28T00:00:00Z', value: 2, previous: 0 }],
      comparison: { from: '2026-11-25T00:00:00Z', to: '2026-11-27T00:00:00Z', total: 0, change: null },
    });
    const weeks = await answer('from=2026-11-24&to=2026-12-01&by=organization&top=2&compare=previous');
    expect(weeks).toMatchObject({
      rows: [{ organization: 'acme.example', value: 4, previous: 0 }, { organization: null, value: 1, previous: 0 }],
      comparison: { from: '2026-11-17T00:00:00Z', to: '2026-11-24T00:00:00Z', total: 1, change: 5 },
    });
    const same = await answer('from=2026-11-22&to=2026-11-29&weekday=tuesday&interval=day&compare=previous');
    expect(same.rows).toEqual([{ time: '2026-11-24T00:00:00Z', value: 1, previous: 1 }]);
    expect((await answer('from=2026-11-01&to=2026-12-01&compare=previous-year')).comparison).toEqual({
      from: '2025-11-01T00:00:00Z',
      to: '2025-12-01T00:00:00Z',
      total: 0,
      change: null,
    });
  }); // prettier-ignore

  test('what is not known is a gap, and the answer not complete', async () => {
    const found = [{ from: Date.parse('2026-11-27T01:00Z'), to: Date.parse('2026-11-27T02:00Z'), reason: 'outage' as const, service: 'gateway' }];
    await statsOf(few, { gaps: async () => found });
    const gaps = [{ from: '2026-11-27T01:00:00Z', to: '2026-11-27T02:00:00Z', reason: 'outage', service: 'gateway' }];
    expect(await answer('')).toMatchObject({ complete: false, gaps });
    const body: unknown = await (await ask('/v1/gaps?from=yesterday&to=yesterday')).json();
    expect(body).toEqual({ from: '2026-11-27T00:00:00Z', to: '2026-11-28T00:00:00Z', complete: false, gaps });
  }); // prettier-ignore

  test('a statistic that is being filled, or reaches less far back, is not complete', async () => {
    await write(api.writing, prefix, [{ time: '2026-11-28T01:00:00Z', measures: { events: 1 } }], volume);
    const filling = async (query: string): Promise<unknown> => (await ask(`/v1/query?statistic=volume${query}`)).json();
    expect(await filling('')).toMatchObject({ complete: false, state: 'filling', since: '2026-11-01T00:00:00Z', failures: 3 }); // prettier-ignore
  });
});

describe('pages', () => {
  const organizations = Array.from({ length: 25 }, (_, n) => `o${n}.example`);
  beforeEach(() => statsOf(organizations.map((name) => at('27T08:00', name))));

  /** All rows of a question, page by page as the answers say. */
  async function follow(path: string): Promise<{ pages: number[]; rows: unknown[]; paths: string[] }> {
    const [pages, rows, paths]: [number[], unknown[], string[]] = [[], [], []];
    for (let next: string | undefined = path; next !== undefined;) {
      const response = await ask(next);
      const body = queryAnswer.parse(await response.json());
      expect(response.headers.get('link')).toBe(body.next === undefined ? null : `<${body.next}>; rel="next"`);
      pages.push(body.rows.length);
      rows.push(...body.rows);
      next = body.next;
      if (next !== undefined) paths.push(next);
    }
    return { pages, rows, paths };
  }

  test('have each row once, and keep every parameter', async () => {
    const { pages, rows, paths } = await follow('/v1/query?statistic=pulls&by=organization,repository&repository=app&limit=10'); // prettier-ignore
    expect(pages).toEqual([10, 10, 5]);
    expect(new Set(rows.map((row) => (row as { organization: string }).organization))).toEqual(new Set(organizations));
    for (const path of paths) {
      const { cursor, ...kept } = Object.fromEntries(new URLSearchParams(path.replace('/v1/query?', '')));
      expect(cursor).toMatch(/^[\w-]+$/);
      expect(kept).toEqual({ statistic: 'pulls', by: 'organization,repository', repository: 'app', limit: '10', from: '2026-11-21T10:00:00Z', to: '2026-11-28T11:00:00Z' }); // prettier-ignore
    }
  });

  test('end where the rows end, also when the last one is full', async () => {
    expect((await follow('/v1/query?statistic=pulls&by=organization&limit=5')).pages).toEqual([5, 5, 5, 5, 5]);
    expect((await follow('/v1/query?statistic=pulls&by=organization&top=10&limit=5&compare=previous')).pages).toEqual([5, 5]); // prettier-ignore
  });

  test('of CSV and NDJSON are told by a Link, and there is none when all is wanted', async () => {
    const first = await ask('/v1/query?statistic=pulls&by=organization&limit=20&format=csv');
    expect((await first.text()).split('\r\n')).toHaveLength(22);
    const [, next = ''] = /^<(.*)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? [];
    const second = await ask(next);
    expect([(await second.text()).split('\r\n').length, second.headers.get('link')]).toEqual([7, null]);
    const all = await ask('/v1/query?statistic=pulls&by=organization&format=ndjson');
    expect([(await all.text()).trim().split('\n').length, all.headers.get('link')]).toEqual([25, null]);
  });

  test('are of their question only', async () => {
    const [next = ''] = (await follow('/v1/query?statistic=pulls&by=organization&limit=20')).paths;
    for (const other of [next.replace('by=organization', 'by=client'), next.replace('T10', 'T09'), next.replace(/cursor=.*?(&|$)/, 'cursor=MTAuYWJj$1')])
      expect((await refused(other)).map(([parameter, message]) => `${parameter} ${message}`)).toEqual(['cursor is not of this question']);
  }); // prettier-ignore
});

describe('formats', () => {
  const names = ['a,b', 'say "hi"', '=1+1', '@sum', '-1', 'line\nbreak', 'plain', 'münchen', '__proto__', '*'];
  beforeEach(() => statsOf(names.map((name) => at('27T08:00', undefined, name))));
  const path = '/v1/query?statistic=pulls&by=organization,repository';

  test('CSV is quoted where it must be, and no name is a formula', async () => {
    const response = await ask(path, { accept: 'text/csv' });
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect((await response.text()).split('\r\n').sort()).toEqual(
      ['', 'organization,repository,value', ',"a,b",1', ',"say ""hi""",1', ",'=1+1,1", ",'@sum,1", ",'-1,1", ',"line\nbreak",1', ',plain,1', ',münchen,1', ',__proto__,1', ',*,1'].sort(),
    );
  }); // prettier-ignore

  test('NDJSON is a row a line, and its head is in headers', async () => {
    const response = await ask(`${path}&interval=day`, { accept: 'application/x-ndjson' });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const rows = (await response.text()).trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.map((row) => row['repository']).sort()).toEqual([...names].sort());
    expect(rows[0]).toMatchObject({ time: '2026-11-27T00:00:00Z', organization: null, value: 1 });
    const { headers } = response;
    const heads = ['weir-total', 'weir-other', 'weir-anonymous', 'weir-complete'].map((name) => headers.get(name));
    expect(heads).toEqual(['10', '0', '10', 'true']);
  }); // prettier-ignore

  test.each([
    ['*/*', 'application/json'],
    ['text/html,*/*;q=0.8', 'application/json'],
    ['text/csv;q=0.5,application/x-ndjson', 'application/x-ndjson'],
    ['application/jsonl', 'application/x-ndjson'],
    ['text/*', 'text/csv'],
  ])('Accept: %s gives %s', async (accept, type) => {
    expect((await ask(path, { accept })).headers.get('content-type')).toBe(`${type}; charset=utf-8`);
  });

  test('what there is not is 406, unless format says otherwise', async () => {
    const response = await ask(path, { accept: 'text/html' });
    expect([response.status, await response.json()]).toMatchObject([406, { status: 406, detail: 'There is application/json, text/csv or application/x-ndjson.' }]); // prettier-ignore
    expect((await ask(`${path}&format=csv`, { accept: 'text/html' })).status).toBe(200);
    expect((await ask('/v1/statistics', { accept: 'text/csv' })).status).toBe(406);
  });

  test('the same answer is not sent again', async () => {
    for (const each of [path, `${path}&format=csv`, '/v1/statistics', '/v1/gaps', '/v1/latest?statistic=pulls&by=client']) {
      const first = await ask(each);
      const etag = first.headers.get('etag') ?? '';
      expect([first.headers.get('cache-control'), etag]).toEqual(['private, no-cache', expect.stringMatching(/^"[\w-]{43}"$/)]);
      const again = await ask(each, { 'if-none-match': `"x", ${etag}` });
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag]);
      expect((await ask(each, { 'if-none-match': '"x"' })).status).toBe(200);
    }
    const etag = (await ask(path)).headers.get('etag') ?? '';
    await write(api.writing, prefix, [at('28T10:00')]);
    expect((await ask(path, { 'if-none-match': etag })).status).toBe(200);
    const head = await fetch(`${base}${path}`, { method: 'HEAD', headers: { authorization } });
    expect([head.status, head.headers.get('weir-total'), await head.text()]).toEqual([200, '11', '']);
  }); // prettier-ignore
});

describe('what cannot be meant is refused with the parameter, what was wrong and what is allowed', () => {
  beforeEach(() => statsOf(few));

  test.each<[string, ...[string, string | RegExp, string | RegExp][]]>([
    ['', ['statistic', 'is missing', /one of those that \/v1\/statistics lists/]],
    ['statistic=pull', ['statistic', 'there is no such statistic', 'pulls, volume']],
    ['statistic=pulls&measure=pull', ['measure', "'pull' is not there", 'pulls, bytes']],
    ['statistic=pulls&measure=__proto__', ['measure', "'__proto__' is not there", 'pulls, bytes']],
    ['statistic=pulls&by=organisation', ['by', "'organisation' is not there", 'organization, repository, client']],
    ['statistic=pulls&by=client,client', ['by', 'must not name one twice', /names, separated by commas/]],
    ['statistic=pulls&by=client,', ['by', 'must be names with one comma between them', /./]],
    ['statistic=pulls&by=client,organization', ['by', 'client, organization are not kept together', 'organization or client or organization,repository']],
    ['statistic=pulls&repository=a&client=b', ['repository', 'repository, client are not kept together', /organization,repository/]],
    ['statistic=pulls&color=red', ['color', 'is no parameter here', /^statistic, measure, from, to, .*, organization, repository, client$/]],
    ['statistic=pulls&statistic=pulls', ['statistic', 'must be given once', /./]],
    ['statistic=pulls&client=a&client=b', ['client', 'must be given once', /one value/]],
    [`statistic=pulls&client=${'x'.repeat(1025)}`, ['client', 'must be at most 1024 characters', /./]],
    ['statistic=pulls&from=soon', ['from', 'is not a time', /now with steps/]],
    ['statistic=pulls&from=2026-02-30', ['from', /no 2026-02-30/, /./]],
    ['statistic=pulls&from=now&to=now-1h', ['to', /must be after from/, 'a time after from']],
    ['statistic=pulls&from=2020-01-01', ['from', /kept for 800 days/, /^from 2024-/]],
    ['statistic=pulls&from=now-30d&interval=hour', ['from', /hours are kept for 15 days/, /another interval/]],
    ['statistic=pulls&interval=minute', ['interval', 'must be hour, day, week, month, year, 7d or 30d', /hour, day/]],
    ['statistic=pulls&weekday=tuesday,caturday', ['weekday', /must be sunday, monday/, /./]],
    ['statistic=pulls&top=0&by=client', ['top', 'must be a whole number from 1 to 1000', /./]],
    ['statistic=pulls&top=1e3&by=client', ['top', 'must be a whole number from 1 to 1000', /./]],
    ['statistic=pulls&top=5', ['top', 'needs by: the largest of what', 'top beside by']],
    ['statistic=pulls&limit=100001', ['limit', 'must be a whole number from 1 to 100000', /./]],
    ['statistic=pulls&compare=next', ['compare', 'must be previous or previous-year', /./]],
    ['statistic=pulls&compare=previous&from=now-700d', ['compare', /the range before, 2023-.* cannot be asked for/, /./]],
    ['statistic=pulls&fill=one', ['fill', 'must be zero or none', /./]],
    ['statistic=pulls&format=xml', ['format', 'must be json, csv or ndjson', /./]],
    ['statistic=pulls&cursor=abc', ['cursor', 'is not of this question', /./]],
    ['statistic=nothing&from=x&limit=x&compare=x', ['statistic', /./, /./], ['from', /./, /./], ['compare', /./, /./], ['limit', /./, /./]],
    ['statistic=pulls&measure=x&by=y&z=1&top=no', ['measure', /./, /./], ['by', /./, /./], ['z', /./, /./], ['top', /./, /./]],
  ])('?%s', async (query, ...expected) => {
    const found = (await refused(`/v1/query?${query}`)).sort();
    const patterns = expected.map((each) => each.map((text) => (text instanceof RegExp ? expect.stringMatching(text) : text) as unknown));
    expect(found).toHaveLength(expected.length);
    for (const pattern of patterns) expect(found).toContainEqual(pattern);
  }); // prettier-ignore

  test.each<[string, string, string]>([
    ['/v1/latest?statistic=pulls', 'by', 'is missing'],
    ['/v1/latest?statistic=pulls&by=organization', 'by', 'is no group of which the latest times are kept'],
    ['/v1/latest?statistic=pulls&by=client&repository=a', 'repository', 'must be one of by'],
    ['/v1/latest?statistic=pulls&by=client&limit=x', 'limit', 'must be a whole number from 1 to 100000'],
    ['/v1/latest?statistic=pulls&by=client&top=3', 'top', 'is no parameter here'],
    ['/v1/gaps?since=now', 'since', 'is no parameter here'],
    ['/v1/gaps?from=now%2B1d&to=now', 'to', 'must be after from (2026-11-29T10:30:00Z)'],
    ['/v1/statistics?all=1', 'all', 'is no parameter here'],
  ])('%s', async (path, parameter, message) => {
    expect(await refused(path)).toEqual([[parameter, message, expect.stringMatching(/./)]]);
  });

  test('of a thousand parameters that there are not, fifty are named', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => `a${n}=1`).join('&');
    expect(await refused(`/v1/query?statistic=pulls&${many}`)).toHaveLength(50);
  });

  test('what is not there is 404, what is not read 405, who is nobody 401 before all else', async () => {
    expect(await (await ask('/v1/statistics/nothing')).json()).toMatchObject({ status: 404, detail: 'There are pulls, volume.' }); // prettier-ignore
    expect(await (await ask('/v1/nothing')).json()).toMatchObject({ status: 404 });
    expect((await ask('/v1/statistics/%ff')).status).toBe(400);
    const posted = await fetch(`${base}/v1/query`, { method: 'POST', headers: { authorization } });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    for (const path of ['/v1/query?x', '/v1/nothing', '/v1/statistics', '/v1/uniques']) {
      const response = await fetch(`${base}${path}`, { headers: { authorization: 'Bearer lovelace' } });
      expect([response.status, await response.json()]).toEqual([401, { type: 'about:blank', title: 'Unauthorized', status: 401 }]); // prettier-ignore
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
  });
});

describe('credentials of one organization', () => {
  beforeEach(async () => {
    await statsOf(few);
    await writeOther(api.writing, prefix, ['organization', 'repository'], '2026-11-27', 7);
  });
  const asAcme = { authorization: scoped.password };

  test('are answered with its numbers, and not with how much of others there is', async () => {
    const own = await answer('from=2026-11-24&to=2026-11-28', asAcme);
    expect(own).toMatchObject({ total: 2, filters: { organization: 'acme.example' }, rows: [{ value: 2 }] });
    const all = await answer('from=2026-11-24&to=2026-11-28&by=organization,repository', { authorization: scoped.key });
    expect(all).toMatchObject({ total: 2, groups: 2, capped: true });
    expect(all.rows.map((row) => row['organization'])).toEqual(['acme.example', 'acme.example']);
    for (const each of [own, all]) expect([each.other, each.anonymous]).toEqual([undefined, undefined]);
    const csv = await ask('/v1/query?statistic=pulls&format=csv', asAcme);
    expect([csv.headers.get('weir-other'), csv.headers.get('weir-anonymous')]).toEqual([null, null]);
    expect(await answer('from=2026-11-24&to=2026-11-28&by=organization,repository')).toMatchObject({ other: 7, total: 11 });
  }); // prettier-ignore

  test.each([
    '/v1/query?statistic=pulls&organization=b.example',
    '/v1/query?statistic=pulls&organization=',
    '/v1/query?statistic=volume',
    '/v1/latest?statistic=pulls&by=client',
    '/v1/latest?statistic=pulls&by=organization,repository&organization=b.example',
    '/v1/uniques?from=2026-11-27&to=2026-11-27&organization=b.example',
    '/v1/uniques?from=2026-11-27&to=2026-11-27&repository=app',
    '/uniques?from=2026-11-27&to=2026-11-27&organization=b.example',
  ])('%s is 403', async (path) => {
    const response = await ask(path, asAcme);
    expect([response.status, response.headers.get('content-type')]).toEqual([403, 'application/problem+json']);
    expect(problemDocument.parse(await response.json())).toMatchObject({ status: 403, title: 'Forbidden' });
  });

  test('may ask for their own by name, for gaps and for what there is', async () => {
    expect(await answer('from=2026-11-24&to=2026-11-28&organization=Acme.Example', asAcme)).toMatchObject({ total: 2 });
    expect((await refused('/v1/query?statistic=pulls&by=client,organization'))[0]?.[0]).toBe('by');
    expect((await ask('/v1/gaps', asAcme)).status).toBe(200);
    const statistics: unknown = await (await ask('/v1/statistics', asAcme)).json();
    expect(JSON.stringify(statistics)).not.toContain('no such thing');
    const latest = await ask('/v1/latest?statistic=pulls&by=organization,repository', asAcme);
    expect(await latest.json()).toEqual({
      statistic: 'pulls',
      by: ['organization', 'repository'],
      filters: { organization: 'acme.example' },
      rows: [
        { organization: 'acme.example', repository: 'app', time: '2026-11-28T10:05:00Z' },
        { organization: 'acme.example', repository: 'web', time: '2026-11-28T09:59:00Z' },
      ],
    });
    const uniques = await ask('/v1/uniques?from=2026-11-27&to=2026-11-27', asAcme);
    expect(await uniques.json()).toMatchObject({ organization: 'acme.example', sources: 0 });
  });
});

describe('web pages of other origins', () => {
  const preflight = { origin: 'https://a.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }; // prettier-ignore
  beforeEach(() => statsOf(few, undefined, ['https://a.example']));

  test('may ask where they are named, and read what they need', async () => {
    const asked = await fetch(`${base}/v1/query`, { method: 'OPTIONS', headers: preflight });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(asked.headers.get('access-control-allow-origin')).toBe('https://a.example');
    for (const path of ['/v1/query?statistic=pulls', '/v1/uniques', '/openapi.json', '/v1/query']) {
      const { headers } = await ask(path, { origin: 'https://a.example' });
      expect(headers.get('access-control-allow-origin')).toBe('https://a.example');
      expect(headers.get('access-control-expose-headers')).toContain('Weir-Total');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('vary')?.toLowerCase()).toContain('origin');
    }
  });

  test('may not where they are not', async () => {
    for (const origin of ['https://b.example', 'null', 'https://a.example.evil.example']) {
      expect((await ask('/v1/query?statistic=pulls', { origin })).headers.get('access-control-allow-origin')).toBeNull();
      const asked = await fetch(`${base}/v1/query`, { method: 'OPTIONS', headers: { ...preflight, origin } });
      expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([401, null]);
    }
  }); // prettier-ignore
});
