import { createHash, randomUUID } from 'node:crypto';
import { createEvent, type WeirEvent } from '@weir/events';
import { until } from '@weir/testing';
import { createCounter, createQueries, createUniques, statistics } from '@weir/usage';
import { authorization, giveApi, type TestApi } from './api.test-support';

const KEEP_DAYS = 400;
const now = () => new Date('2026-11-20T10:00:00Z');

let api: TestApi;
let base: string;

giveApi((given) => (api = given));

/** A read API over exactly these events, and no others. */
async function statsOf(events: readonly WeirEvent[], namesADay = 1000): Promise<void> {
  const prefix = `${randomUUID()}:`;
  const distinct = { keepDays: 3650, namesADay };
  await createCounter({ redis: api.writing, statistics, prefix, dedupeSeconds: 1000, distinct }).count(events);
  const queries = createQueries({ redis: api.reading.redis, prefix });
  const uniques = createUniques({ redis: api.reading.redis, prefix, keepDays: KEEP_DAYS, now });
  base = await api.serve({ queries, uniques });
}

function pull(source: number, day: string, data: object = {}): WeirEvent {
  const pseudonym = (of: string) => createHash('sha256').update(`${of} ${source}`).digest('hex');
  const said = { day: pseudonym(day).slice(0, 22), month: pseudonym(day.slice(0, 7)).slice(0, 6) };
  const origin = { source: 'test', time: new Date(`${day}T12:00:00Z`) };
  return createEvent('io.weir.pull', { repository: 'library/alpine', source: said, ...data }, origin);
}

const request = (query: string, init: RequestInit = { headers: { authorization } }) => fetch(`${base}/uniques${query}`, init); // prettier-ignore

async function answer(query: string): Promise<unknown> {
  const response = await request(query);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  return response.json();
}

/** What is wrong with each parameter. */
async function wrong(query: string): Promise<string[]> {
  const response = await request(query);
  expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
  const { errors } = (await response.json()) as { errors: { field: string; message: string }[] };
  return errors.map(({ field, message }) => `${field} ${message}`);
}

const [monday, tuesday] = ['2026-11-16', '2026-11-17'] as const;

test('ten pulls of one source are one; a range of days is not the sum of its days', async () => {
  await statsOf([...Array.from({ length: 10 }, () => pull(1, monday)), pull(1, tuesday), pull(2, tuesday)]);
  expect(await answer(`?from=${monday}&to=${tuesday}`)).toEqual({
    from: monday,
    to: tuesday,
    sources: 2,
    exact: false,
    error: 0.0081,
    atMost: false,
    outsideRetention: 0,
    leftOut: 0,
    days: [
      { day: monday, sources: 1 },
      { day: tuesday, sources: 2 },
    ],
  });
});

test('a repository and an organization are answered by name, and what was left out is told', async () => {
  const events = [0, 1, 2].map((n) => pull(n, monday, { repository: `team/app${n}`, user: { organization: 'acme.org' } })); // prettier-ignore
  await statsOf(events, 2);
  const query = `?from=${monday}&to=${monday}`;
  expect(await answer(`${query}&repository=team%2Fapp1`)).toMatchObject({ repository: 'team/app1', sources: 1, leftOut: 1 }); // prettier-ignore
  expect(await answer(`${query}&repository=team/app2`)).toMatchObject({ repository: 'team/app2', sources: 0, leftOut: 1 }); // prettier-ignore
  expect(await answer(`${query}&organization=Acme.ORG`)).toMatchObject({ organization: 'Acme.ORG', sources: 3, leftOut: 0 }); // prettier-ignore
  expect(await answer(`${query}&organization=&repository=`)).toMatchObject({ sources: 3, leftOut: 0 });
});

test('a range over several months is at most its sum, and days that are kept no longer are null', async () => {
  await statsOf([pull(1, '2026-10-31'), pull(1, '2026-11-01'), pull(1, '2025-10-01')]);
  expect(await answer('?from=2026-10-30&to=2026-11-01')).toMatchObject({ sources: 2, atMost: true });
  const { days, ...rest } = (await answer('?from=2025-10-01&to=2025-10-31')) as { days: { sources: unknown }[] };
  expect(rest).toMatchObject({ sources: 0, atMost: false, outsideRetention: 15 });
  expect(days.map(({ sources }) => sources)).toEqual([...Array<null>(15).fill(null), ...Array<number>(16).fill(0)]);
});

test('400 days are answered, over months and years', async () => {
  await statsOf([pull(1, '2025-10-17'), pull(1, '2026-02-28'), pull(1, '2026-03-01'), pull(2, '2026-11-20')]);
  const { days, ...rest } = (await answer('?from=2025-10-17&to=2026-11-20')) as { days: { day: string }[] };
  expect(rest).toMatchObject({ sources: 4, atMost: true });
  expect([days.length, days[0]?.day, days.at(-1)?.day]).toEqual([400, '2025-10-17', '2026-11-20']);
  expect(new Set(days.map(({ day }) => day)).size).toBe(400);
});

describe('what cannot be meant is refused with the parameter, what was wrong and what is allowed:', () => {
  beforeEach(() => statsOf([]));

  test.each<[string, string[]]>([
    ['', ['from must be a day of the calendar, YYYY-MM-DD (UTC)', 'to must be a day of the calendar, YYYY-MM-DD (UTC)']],
    ['?from=2026-11-31&to=2026-11-3', ['from must be a day of the calendar, YYYY-MM-DD (UTC)', 'to must be a day of the calendar, YYYY-MM-DD (UTC)']],
    ['?from=2026-11-02&to=2026-11-01', ['to must not lie before from (2026-11-02)']],
    ['?from=2025-10-16&to=2026-11-20', ['to must be at most 400 days from from on']],
    ['?from=0001-01-01&to=9999-12-31', ['to must be at most 400 days from from on']],
    ['?from=2026-11-01&from=2026-11-01&to=2026-11-02', ['from must be given once']],
    ['?from=2026-11-01&to=2026-11-02&repo=a', ['repo is no parameter; there are from, to, repository, organization']],
    ['?from=2026-11-01&to=2026-11-02&repository=a&organization=b', ['organization must not be given beside repository: sources are kept for each of them, not for pairs']],
    [`?from=2026-11-01&to=2026-11-02&repository=${'x'.repeat(513)}`, ['repository must be at most 512 characters']],
    [`?from=2026-11-01&to=x&organization=${'x'.repeat(254)}`, ['to must be a day of the calendar, YYYY-MM-DD (UTC)', 'organization must be at most 253 characters']],
  ])('%s', async (query, messages) => {
    expect(await wrong(query)).toEqual(messages);
  }); // prettier-ignore

  test('without credentials it says 401 and nothing else', async () => {
    for (const headers of [{}, { authorization: 'Basic YWRhOndyb25n' }]) {
      const response = await request('?from=x', { headers } as RequestInit);
      expect([response.status, response.headers.get('content-type')]).toEqual([401, 'application/problem+json']);
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
      expect(await response.json()).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 });
    }
  });

  test('what is not read is 405, what is not there 404', async () => {
    const posted = await request('', { method: 'POST', headers: { authorization } });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await posted.json()).toMatchObject({ title: 'Method Not Allowed', status: 405 });
    expect((await request(`?from=${monday}&to=${monday}`, { method: 'HEAD', headers: { authorization } })).status).toBe(200); // prettier-ignore
    const missing = await request('/days');
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  });
});

test('names are data, whatever is in them', async () => {
  const names = ['*', 'a/d/2026-11-16', '__proto__', 'münchen', '%2F'];
  await statsOf(names.map((repository, n) => pull(n, monday, { repository })));
  for (const name of names) {
    const query = `?from=${monday}&to=${monday}&repository=${encodeURIComponent(name)}`;
    expect(await answer(query)).toMatchObject({ repository: name, sources: 1 });
  }
});

test('while Redis is away the answer is 503, and comes back with Redis', async () => {
  await statsOf([pull(1, monday)]);
  await api.server.stop();
  await until(async () => (await api.reading.ready()) !== true);
  const down = await request(`?from=${monday}&to=${tuesday}`);
  expect([down.status, down.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await down.json()).toMatchObject({ status: 503, title: 'Service Unavailable' });
  await api.server.start();
  await until(async () => (await api.reading.ready()) === true);
  expect(await answer(`?from=${monday}&to=${tuesday}`)).toMatchObject({ sources: 1 });
});
