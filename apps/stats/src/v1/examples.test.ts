import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createEvent, type WeirEvent } from '@weir/events';
import { installPackages } from '@weir/testing';
import {
  createCounter,
  createFlowRecorder,
  descriptionsKey,
  isCube,
  KEEP_DAYS,
  statistics,
  type Description,
} from '@weir/usage';
import { giveApi, type TestApi } from '../api.test-support';
import { gapsAnswer, latestAnswer, queryAnswer, statisticsAnswer, uniquesAnswer } from './schemas';

// Every example of docs/api.md, as it stands there, by curl; and each number counted from the events by hand.

const page = readFileSync(join(__dirname, '../../../../docs/api.md'), 'utf8');
const examples = [...page.matchAll(/^curl .*$/gm)].map(([line]) => line);

const DAY_MS = 86_400_000;
const now = Date.now();
/** When a service was down. */
const outage = [4, 3].map((days) => new Date(now - days * DAY_MS).toISOString());

let api: TestApi;
let base: string;
let events: WeirEvent[];
giveApi((given) => (api = given));

beforeAll(async () => {
  await installPackages(['curl'], { ask: async () => true, progress: () => {} });
  events = history();
  const prefix = `${randomUUID()}:`;
  const distinct = { keepDays: 3650, namesADay: 1000 };
  const counter = createCounter({ redis: api.writing, statistics, prefix, dedupeSeconds: 1000, distinct, names: 1000 });
  for (let at = 0; at < events.length; at += 500) await counter.count(events.slice(at, at + 500));
  const rest = { names: 1000, state: 'live', failures: 0 } as const;
  for (const { name, summary, description, measures, dimensions, groups, latest = [], keepDays = KEEP_DAYS } of statistics.filter(isCube)) {
    const described: Description = { name, summary, description, measures, dimensions, groups, latest, keepDays, ...rest };
    await api.writing.hset(descriptionsKey(prefix), name, JSON.stringify(described));
  }
  const [down, up] = outage.map((time, at) => createEvent('io.weir.outage', { service: 'store', state: at === 0 ? 'down' : 'up' }, { source: 'test', time: new Date(time) }));
  await createFlowRecorder({ redis: api.writing, prefix }).reported([down, up] as WeirEvent[]);
  served = prefix;
}, 120_000); // prettier-ignore
let served: string;
beforeEach(async () => void (base = await api.serve({ prefix: served })));

/** Two years of everything, most of it of the last days: the same in every run but for the clock. */
function history(): WeirEvent[] {
  const random = seeded(5);
  const one = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
  return Array.from({ length: 3000 }, () => {
    const ago = random() ** 6 * 600 * DAY_MS;
    const origin = { source: 'test', time: new Date(now - ago) };
    const user = one({ user: { organization: one('acme.example', 'b.example', 'c.example') } }, {});
    const repository = one('acme/app', 'library/alpine', 'team/web');
    const pulled = {
      repository, ...user, tag: one('latest', '1.0', '1.1'), platform: one('linux/amd64', 'linux/arm64', 'linux/arm/v7'),
      country: one('DE', 'CH', undefined), pattern: one('production-or-poller', 'development', 'unknown'),
      client: { name: one('docker', 'podman'), version: one('24.0.7', '27.3.1') },
      ...one({ network: { name: one('Amazon.com', 'Hetzner Online'), asn: 1 } }, {}),
    };
    const source = { day: createHash('sha256').update(String(Math.floor(random() * 9))).digest('hex').slice(0, 22), month: one('0a0a0a', '0b0b0b') };
    const access = { namespace: one('default', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6'), entityType: one('dataset', 'stream'), entityName: one('a', 'b', 'c', 'd') };
    return one<() => WeirEvent>(
      () => createEvent('io.weir.pull', { ...pulled, source }, origin),
      () => createEvent('io.weir.pull', { ...pulled, source }, origin),
      () => createEvent('io.weir.check', pulled, origin),
      () => createEvent('io.weir.download', { ...pulled, bytes: Math.floor(random() * 1e9) }, origin),
      () => createEvent('io.weir.build.finished', { repository, ...user, outcome: one('succeeded', 'failed'), durationMs: 5000 }, origin),
      () => createEvent('io.weir.audit', { ...access, action: one('read', 'write', 'unknown', 'metadata_change', 'create') }, origin),
      () => createEvent('io.weir.audit', { ...access, action: one('read', 'write', 'metadata_change') }, origin),
    )();
  });
} // prettier-ignore

/** Numbers that look random and are the same in every run (mulberry32): from 0 to below 1. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Data = Record<string, string | undefined> & Partial<Record<'user' | 'client' | 'network', Record<string, string>>>;

const DIMENSIONS: Readonly<Record<string, (data: Data) => string | undefined>> = {
  organization: ({ user }) => user?.['organization'],
  architecture: ({ platform }) => platform?.split('/')[1],
  client: ({ client }) => client?.['name'],
  clientVersion: ({ client }) => client?.['version'],
  network: ({ network }) => network?.['name'],
};
const valueOf = ({ data }: WeirEvent, dimension: string) => (DIMENSIONS[dimension] ?? ((all: Data) => all[dimension]))(data as Data); // prettier-ignore

const is = (type: string, actions?: string[]) => (event: WeirEvent) =>
  Number(event.type === `io.weir.${type}` && (actions?.includes(String(event.data['action'])) ?? true));
const MEASURES: Readonly<Record<string, (event: WeirEvent) => number>> = {
  'pulls pulls': is('pull'),
  'pulls checks': is('check'),
  'pulls downloads': is('download'),
  'pulls bytes': (event) => is('download')(event) * Number(event.data['bytes'] ?? 0),
  'builds finished': is('build.finished'),
  'audit accesses': is('audit', ['read', 'write', 'unknown']),
  'audit reads': is('audit', ['read']),
  'audit writes': is('audit', ['write']),
  'audit metadataChanges': is('audit', ['metadata_change']),
};

interface Counted {
  total: number;
  rows: Record<string, unknown>[];
}

/** The answer to the parameters, counted from the events of the range. */
function byHand(asked: URLSearchParams, measure: string, from: number, to: number): Counted {
  const by = asked.get('by')?.split(',') ?? [];
  const filters = [...asked].filter(([name]) => name in DIMENSIONS || ['repository', 'entityType', 'outcome', 'tag'].includes(name)); // prettier-ignore
  const sums = new Map<string, number>();
  const cells = new Map<string, { time?: string; name: string; value: number }>();
  let total = 0;
  for (const event of events) {
    const time = Date.parse(event.time);
    const value = MEASURES[`${asked.get('statistic')} ${measure}`]?.(event) ?? NaN;
    if (time < from || time >= to || value === 0) continue;
    if (asked.has('weekday') && new Date(time).getUTCDay() !== 2) continue;
    if (!filters.every(([name, wanted]) => (valueOf(event, name) ?? '') === wanted)) continue;
    total += value;
    const name = JSON.stringify(by.map((dimension) => valueOf(event, dimension) ?? null));
    const start = startOf(asked.get('interval'), time);
    const cell = cells.get(`${start} ${name}`) ?? { ...(start === undefined ? {} : { time: start }), name, value: 0 };
    cell.value += value;
    cells.set(`${start} ${name}`, cell);
    sums.set(name, (sums.get(name) ?? 0) + value);
  }
  const top = [...sums].sort(([, a], [, b]) => b - a).slice(0, Number(asked.get('top') ?? Infinity));
  const least = top.at(-1)?.[1] ?? 0;
  const rows = [...cells.values()].filter(({ name }) => (sums.get(name) ?? 0) >= least);
  return { total, rows: rows.map(({ name, ...rest }) => ({ ...rest, ...Object.fromEntries((JSON.parse(name) as unknown[]).map((value, at) => [by[at], value])) })) }; // prettier-ignore
}

function startOf(interval: string | null, time: number): string | undefined {
  if (interval === null) return undefined;
  const day = Math.floor(time / DAY_MS);
  const start = interval === 'week' ? day - ((day + 3) % 7) : day;
  return new Date(start * DAY_MS).toISOString().replace('.000Z', 'Z');
}

/** What a line of the page answers, by the shell. */
async function run(line: string): Promise<string> {
  const env = { PATH: process.env['PATH'], STATS: base, WEIR: 'ada:lovelace', no_proxy: '127.0.0.1' };
  return (await promisify(execFile)('sh', ['-c', line], { env, maxBuffer: 1e8 })).stdout;
}

const parametersOf = (line: string) => new URL(/"\$STATS([^"]*)"$/.exec(line)?.[1] ?? '', 'http://stats').searchParams;
const ofQueries = examples.filter((line) => line.includes('/v1/query'));

test.each(ofQueries.filter((line) => !/csv|ndjson/.test(line)))('%s', async (line) => {
  const asked = parametersOf(line);
  const answer = queryAnswer.parse(JSON.parse(await run(line)));
  const { total, rows } = byHand(asked, answer.measure, Date.parse(answer.from), Date.parse(answer.to));
  expect([answer.total, answer.other, answer.capped, answer.next]).toEqual([total, 0, false, undefined]);
  if (!asked.has('weekday')) expect(total).toBeGreaterThan(0); // there is a first Tuesday of the year

  const told = answer.rows.filter(({ value }) => value !== 0).map(({ previous: _, ...row }) => row);
  if (asked.has('by') || asked.has('interval')) {
    const limit = Number(asked.get('top') ?? rows.length);
    for (const row of told) expect(rows).toContainEqual(row);
    expect(told).toHaveLength(Math.min(limit, rows.length));
    if (asked.get('fill') === 'zero') expect(answer.rows.length).toBeGreaterThanOrEqual(30);
  } else expect(answer.rows).toEqual([{ value: total }]);

  if (answer.comparison === undefined) return;
  const before = { from: Date.parse(answer.comparison.from), to: Date.parse(answer.comparison.to) };
  const then = byHand(new URLSearchParams({ ...Object.fromEntries(asked), top: '1000' }), answer.measure, before.from, before.to);
  expect(answer.comparison.total).toBe(then.total);
  for (const { organization, previous } of answer.rows)
    expect(previous).toBe(then.rows.find((row) => row['organization'] === organization)?.['value'] ?? 0);
}); // prettier-ignore

test.each(ofQueries.filter((line) => /csv|ndjson/.test(line)))('%s', async (line) => {
  const asked = parametersOf(line);
  const same = queryAnswer.parse(JSON.parse(await run(line.replace(/ -H '.*?'/, '').replace('&format=ndjson', ''))));
  const { total } = byHand(asked, same.measure, Date.parse(same.from), Date.parse(same.to));
  const lines = (await run(line)).trim().split(/\r?\n/);
  const values = line.includes('ndjson')
    ? lines.map((each) => (JSON.parse(each) as { value: number }).value)
    : lines.slice(1).map((each) => Number(each.split(',').at(-1)));
  expect(values.reduce((sum, value) => sum + value, 0)).toBe(total);
  expect(values).toHaveLength(same.rows.length);
});

test('the others', async () => {
  const others = examples.filter((line) => !ofQueries.includes(line));
  expect(others.map((line) => /\/v1\/(\w+)/.exec(line)?.[1])).toEqual(['statistics', 'uniques', 'latest', 'gaps']);
  const [listed, uniques, latest, gaps] = (await Promise.all(others.map(run))).map((text) => JSON.parse(text) as unknown); // prettier-ignore
  const cubes = statistics.filter(isCube).map(({ name }) => name);
  expect(statisticsAnswer.parse(listed).statistics.map(({ name }) => name)).toEqual(cubes.sort());

  const pulls = events.filter(({ type, data }) => type === 'io.weir.pull' && data['repository'] === 'acme/app');
  const today = pulls.filter(({ time }) => time.startsWith(uniquesAnswer.parse(uniques).to));
  const sources = new Set(today.map(({ data }) => (data['source'] as { day: string }).day));
  expect(uniques).toMatchObject({ repository: 'acme/app', sources: sources.size });

  const last = events.filter(({ type, data }) => /pull|download/.test(type) && data['repository'] === 'acme/app');
  for (const { tag, time } of latestAnswer.parse(latest).rows) {
    const times = last.filter(({ data }) => data['tag'] === tag).map((event) => Date.parse(event.time));
    expect(Date.parse(time)).toBe(Math.max(...times));
  }
  expect(latestAnswer.parse(latest).rows).toHaveLength(3);
  const gap = { from: outage[0], to: outage[1], reason: 'outage', service: 'store' };
  expect(gapsAnswer.parse(gaps)).toMatchObject({ complete: false, gaps: [gap] });
});

test('the page has every kind of question', () => {
  expect(ofQueries.length).toBeGreaterThan(25);
  const all = ofQueries.join('\n');
  for (const part of ['weekday=', 'interval=', 'compare=', 'fill=', 'top=', 'organization=&', 'format=ndjson', 'text/csv', 'last-year'])
    expect(all).toContain(part);
}); // prettier-ignore
