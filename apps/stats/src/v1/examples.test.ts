import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createEvent, type WeirEvent } from '@weir/events';
import { installPackages, seeded } from '@weir/testing';
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

// Every example of docs/api.md, as it stands there, by curl, after a million events; and each number counted from the
// events by hand.

const page = readFileSync(join(__dirname, '../../../../docs/api.md'), 'utf8');
const examples = [...page.matchAll(/^curl .*$/gm)].map(([line]) => line);

const DAY_MS = 86_400_000;
const now = Date.now();
/** When a service was down. */
const outage = [4, 3].map((days) => new Date(now - days * DAY_MS).toISOString());

let api: TestApi;
let base: string;
let events: History;
giveApi((given) => (api = given));

beforeAll(async () => {
  await installPackages(['curl'], { ask: async () => true, progress: () => {} });
  events = history();
  const prefix = `${randomUUID()}:`;
  const distinct = { keepDays: 3650, namesADay: 1000 };
  const counter = createCounter({ redis: api.writing, statistics, prefix, dedupeSeconds: 1000, distinct, names: 1000 });
  for (let at = 0; at < EVENTS; at += 2000) {
    const batch = Array.from({ length: Math.min(2000, EVENTS - at) }, (_, number) => eventOf(events, at + number));
    expect(await counter.count(batch)).toEqual({ counted: batch.length, duplicates: 0, refused: [] });
  }
  const rest = { names: 1000, state: 'live', failures: 0 } as const;
  for (const { name, summary, description, measures, dimensions, groups, latest = [], keepDays = KEEP_DAYS } of statistics.filter(isCube)) {
    const described: Description = { name, summary, description, measures, dimensions, groups, latest, keepDays, ...rest };
    await api.writing.hset(descriptionsKey(prefix), name, JSON.stringify(described));
  }
  const [down, up] = outage.map((time, at) => createEvent('io.weir.outage', { service: 'store', state: at === 0 ? 'down' : 'up' }, { source: 'test', time: new Date(time) }));
  await createFlowRecorder({ redis: api.writing, prefix }).reported([down, up] as WeirEvent[]);
  served = prefix;
}, 900_000); // prettier-ignore
let served: string;
beforeEach(async () => void (base = await api.serve({ prefix: served })));

const EVENTS = 1_000_000;

/** The events in order of time, as little as tells one from another. */
interface History {
  /** What happens, again and again. */
  happenings: readonly Happening[];
  times: Float64Array;
  /** Positions in the happenings. */
  which: Uint16Array;
}
type Happening = Pick<WeirEvent, 'type' | 'data'>;

/** Two years of everything, most of it of the last days: the same in every run but for the clock. */
function history(): History {
  const random = seeded(5);
  const happenings = Array.from({ length: 300 }, () => happening(random));
  const times = Float64Array.from({ length: EVENTS }, () => now - Math.floor(random() ** 6 * 600 * DAY_MS)).sort();
  const which = Uint16Array.from({ length: EVENTS }, () => Math.floor(random() * happenings.length));
  return { happenings, times, which };
}

function happeningOf({ happenings, which }: History, number: number): Happening {
  return happenings[which[number] ?? 0] as Happening;
}

function eventOf(all: History, number: number): WeirEvent {
  const { type, data } = happeningOf(all, number);
  return createEvent(type, data, { source: 'test', id: String(number), time: new Date(all.times[number] ?? 0) });
}

function happening(random: () => number): Happening {
  const one = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
  const user = one({ user: { organization: one('acme.example', 'b.example', 'c.example') } }, {});
  const repository = one('acme/app', 'library/alpine', 'team/web');
  const pulled = {
    repository, ...user, tag: one('latest', '1.0', '1.1'), platform: one('linux/amd64', 'linux/arm64', 'linux/arm/v7'),
    country: one('DE', 'CH', undefined), pattern: one('production-or-poller', 'development', 'unknown'),
    client: { name: one('docker', 'podman'), version: one('24.0.7', '27.3.1') },
    ...one({ network: one({ name: 'Amazon.com', asn: 1, cloud: 'aws' }, { name: 'Hetzner Online', asn: 2 }) }, {}),
  };
  const source = { day: createHash('sha256').update(String(Math.floor(random() * 9))).digest('hex').slice(0, 22), month: one('0a0a0a', '0b0b0b') };
  const access = { namespace: one('default', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6'), entityType: one('dataset', 'stream'), entityName: one('a', 'b', 'c', 'd') };
  return one<() => Happening>(
    () => ({ type: 'io.weir.pull', data: { ...pulled, source } }),
    () => ({ type: 'io.weir.pull', data: { ...pulled, source } }),
    () => ({ type: 'io.weir.check', data: pulled }),
    () => ({ type: 'io.weir.download', data: { ...pulled, bytes: Math.floor(random() * 1e9) } }),
    () => ({ type: 'io.weir.build.finished', data: { repository, ...user, outcome: one('succeeded', 'failed'), durationMs: 5000 } }),
    () => ({ type: 'io.weir.audit', data: { ...access, action: one('read', 'write', 'unknown', 'metadata_change', 'create') } }),
    () => ({ type: 'io.weir.audit', data: { ...access, action: one('read', 'write', 'metadata_change') } }),
  )();
} // prettier-ignore

type Data = Record<string, string | undefined> & Partial<Record<'user' | 'client' | 'network', Record<string, string>>>;

const DIMENSIONS: Readonly<Record<string, (data: Data) => string | undefined>> = {
  organization: ({ user }) => user?.['organization'],
  architecture: ({ platform }) => platform?.split('/')[1],
  client: ({ client }) => client?.['name'],
  clientVersion: ({ client }) => client?.['version'],
  network: ({ network }) => network?.['name'],
  cloud: ({ network }) => network?.['cloud'],
};
const valueOf = ({ data }: Happening, dimension: string) => (DIMENSIONS[dimension] ?? ((all: Data) => all[dimension]))(data as Data); // prettier-ignore

const is = (type: string, actions?: string[]) => (event: Happening) =>
  Number(event.type === `io.weir.${type}` && (actions?.includes(String(event.data['action'])) ?? true));
const MEASURES: Readonly<Record<string, (event: Happening) => number>> = {
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
  for (let number = 0; number < EVENTS; number += 1) {
    const time = events.times[number] ?? 0;
    if (time < from || time >= to) continue;
    const event = happeningOf(events, number);
    const value = MEASURES[`${asked.get('statistic')} ${measure}`]?.(event) ?? NaN;
    if (value === 0) continue;
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

  const sources = new Set<string>();
  const lastTimes = new Map<string, number>();
  for (let number = 0; number < EVENTS; number += 1) {
    const { type, data } = happeningOf(events, number);
    if (!/pull|download/.test(type) || data['repository'] !== 'acme/app') continue;
    const time = events.times[number] ?? 0;
    lastTimes.set(String(data['tag']), time);
    const today = new Date(time).toISOString().startsWith(uniquesAnswer.parse(uniques).to);
    if (today && type === 'io.weir.pull') sources.add((data['source'] as { day: string }).day);
  }
  expect(uniques).toMatchObject({ repository: 'acme/app', sources: sources.size });
  for (const { tag, time } of latestAnswer.parse(latest).rows)
    expect(Date.parse(time)).toBe(lastTimes.get(String(tag)));
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
