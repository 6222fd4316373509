import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '@weir/testing';
import { bucketKey, formatMember } from '@weir/usage';
import { weir, weirDone } from '../io.test-support';
import { describe as describeTo, pulls, startStats, startStatsApp, urlOf, week, write, type RealStats } from '../stats/real.test-support'; // prettier-ignore

let stats: RealStats;
beforeAll(async () => {
  stats = await startStats();
  await write(stats.redis, week(Date.now()));
});
afterAll(() => stats.stop());
afterEach(async () => {
  await stats.redis.del('weir:flow:since');
  await describeTo(stats.redis, pulls);
});

const asked = (
  args: string[],
  { env = {}, terminal = false }: { env?: Record<string, string>; terminal?: boolean } = {},
) => weirDone(['stats', ...args], { env: { ...stats.env, ...env }, terminal });
const onTerminal = async (args: string[], env = {}) => (await asked(args, { terminal: true, env })).stdout;
const inPipe = async <T>(args: string[]) => JSON.parse((await asked(args)).stdout) as T;

interface Rows {
  total: number;
  rows: Record<string, unknown>[];
  more: boolean;
}

describe('weir stats', () => {
  test('is the last seven days at a glance: totals, what they were before, their course, and who the most', async () => {
    const { code, stdout, stderr } = await asked([], { terminal: true });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/│ pulls +│ +98 │ +\+180 % │ [▁▂▃▄▅▆▇█]{7,8} +│/);
    expect(stdout).toMatch(/│ pulls bytes +│ +98 MB │/);
    expect(stdout).toMatch(/│ seqera\.io +│ +70 │ █+ +│/);
    expect(stdout).toMatch(/│ \(unknown\) +│ +7 │/);
    expect(stdout).toMatch(/│ top images +│[^]*│ library\/alpine +│ +7 │/);
    expect(stdout).not.toContain('incomplete');
  });

  test('is JSON in a pipe', async () => {
    expect(await inPipe([])).toMatchObject({
      measures: [
        { statistic: 'pulls', measure: 'pulls', total: 98, previous: 35 },
        { statistic: 'pulls', measure: 'bytes', total: 98_000_000 },
      ],
      tops: [{ by: 'organization', rows: [{ organization: 'seqera.io', value: 70 }, { organization: 'acme.example', value: 21 }, { organization: null, value: 7 }] }, { by: 'repository' }, { by: 'architecture' }, { by: 'client' }],
      complete: true,
    }); // prettier-ignore
  });

  test('on an empty Redis says that there is nothing yet', async () => {
    await stats.redis.hdel('weir:statistics', 'pulls');
    expect(await onTerminal([])).toMatch(/^there are no statistics yet/);
    expect(await onTerminal(['list'])).toMatch(/^there are no statistics yet/);
  });

  test('has nothing to do with options of a question', async () => {
    expect(await asked(['--by', 'organization'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--by needs a statistic') as string }); // prettier-ignore
  });
});

describe('weir stats list', () => {
  test('says what can be asked', async () => {
    await describeTo(stats.redis, { ...pulls, state: 'filling', failures: 3, lastFailure: 'no \u001b[2J number' });
    const text = await onTerminal(['list']);
    expect(text).toContain('measures    pulls, bytes (bytes)');
    expect(text).toContain('organization+repository');
    expect(text).toContain('still being filled from the history');
    expect(text).toContain('3 events could not be counted by this statistic; the last said: no �[2J number');
    expect(await inPipe(['list'])).toMatchObject({ statistics: [{ name: 'pulls', state: 'filling', failures: 3 }] });
  });
});

describe('weir stats pulls', () => {
  test('by name: the largest first, and below it what else there is', async () => {
    const text = await onTerminal(['pulls', '--by', 'organization', '--top', '1']);
    expect(text).toMatch(/│ organization +│ pulls │/);
    expect(text).toMatch(/│ seqera\.io +│ +70 │ █+ │/);
    expect(text).not.toContain('acme.example');
    expect(text).toMatch(/pulls: 98 in all, \d{4}-\d\d-\d\d \d\d:00 to \d{4}-\d\d-\d\d \d\d:00 UTC/);
    expect(text).toContain('28 (29 %) belong to others than the top 1');
    expect(text).toContain('7 (7 %) have no organization that is known');
  });

  test('over time: a line each, with what was before beside it', async () => {
    const text = await onTerminal(['pulls', '--interval', 'day', '--compare', 'previous', '--from', 'now-6d']);
    expect(text.match(/│ \d{4}-\d\d-\d\d (Mon|Tue|Wed|Thu|Fri|Sat|Sun) +│ +\d+ │ +\d+ │/g)).toHaveLength(7);
    expect(text).toMatch(/before, .* UTC: \d+; now \+[\d.]+ %/);
  });

  test('by name over time: a course each', async () => {
    const text = await onTerminal(['pulls', '--interval', 'day', '--by', 'organization', '--from', 'now-6d']);
    expect(text).toMatch(/│ organization +│ pulls │ by day +│/);
    expect(text).toMatch(/│ seqera\.io +│ +\d+ │ [▁█▂▃▄▅▆▇]{7} │/);
  });

  test('filters, also by what is not known, and in words of the terminal', async () => {
    const total = async (args: string[]) => (await inPipe<Rows>(['pulls', ...args])).total;
    expect(await total(['--where', 'organization=acme.example'])).toBe(21);
    expect(await total(['--where', 'organization='])).toBe(7);
    expect(await total(['--where', 'organization=seqera.io', '--where', 'repository=acme/app'])).toBe(0);
    expect(await total(['--measure', 'bytes', '--from', 'now-14d'])).toBe(133_000_000);
    expect(await total(['--to', 'now-7d', '--from', 'now-14d'])).toBe(35);
  });

  test('in a pipe is one JSON object, of as many pages as it takes', async () => {
    expect(await inPipe(['pulls', '--by', 'organization'])).toMatchObject({
      statistic: 'pulls', measure: 'pulls', by: ['organization'], total: 98, anonymous: 7, groups: 3, complete: true, more: false,
      rows: [{ organization: 'seqera.io', value: 70 }, { organization: 'acme.example', value: 21 }, { organization: null, value: 7 }],
    }); // prettier-ignore
    expect(await inPipe(['pulls', '--by', 'organization', '--limit', '2'])).toMatchObject({
      rows: [{}, {}],
      more: true,
    });
  });

  test('has every row, each once, of more than one answer holds', async () => {
    const day = new Date(Date.now() - 45 * 86_400_000).toISOString().slice(0, 'YYYY-MM-DD'.length);
    const names = Array.from({ length: 6000 }, (_, number) => `${number}.example`);
    const key = bucketKey('', { statistic: 'pulls', measure: 'pulls', group: ['organization'] }, day);
    await stats.redis.zadd(key, ...names.flatMap((name) => [1, formatMember([name])]));
    const question = ['pulls', '--from', 'now-48d', '--to', 'now-42d', '--by', 'organization'];
    const { rows, more } = await inPipe<Rows>(question);
    expect({ more, names: rows.map(({ organization }) => organization).sort() }).toEqual({ more: false, names: names.sort() }); // prettier-ignore
    expect(await inPipe([...question, '--limit', '5500'])).toMatchObject({ more: true, rows: { length: 5500 } });
    expect((await asked([...question, '--csv'])).stdout.trim().split('\r\n')).toHaveLength(6001);
    await stats.redis.del(key);
  });

  test('is CSV and NDJSON as the API writes them', async () => {
    expect(await asked(['pulls', '--by', 'organization', '--csv'])).toEqual({
      code: 0,
      stderr: '',
      stdout: 'organization,value\r\nseqera.io,70\r\nacme.example,21\r\n,7\r\n',
    });
    expect((await asked(['pulls', '--by', 'organization', '--ndjson'])).stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
      { organization: 'seqera.io', value: 70 }, { organization: 'acme.example', value: 21 }, { organization: null, value: 7 },
    ]); // prettier-ignore
    expect(await asked(['pulls', '--by', 'organization', '--csv', '--limit', '1'])).toEqual({
      code: 0,
      stderr: 'weir: there may be more rows (--limit)\n',
      stdout: 'organization,value\r\nseqera.io,70\r\n',
    });
  });

  test('tells what is missing: gaps, what is before it began, and that it is being filled', async () => {
    const now = Date.now();
    await stats.redis.set('weir:flow:since', Math.floor(now / 60_000) - 120); // and no canary since
    await describeTo(stats.redis, { ...pulls, state: 'filling', since: now - 86_400_000 });
    const text = await onTerminal(['pulls', '--interval', 'hour', '--from', 'now-3h'], { COLUMNS: '60' });
    expect(text).toMatch(/incomplete: .* UTC,/);
    expect(text.replace(/\n/g, ' ')).toContain('nothing went through to the counters');
    expect(text).toMatch(/│ \d{4}-\d\d-\d\d \d\d:00 ~ +│/);
    expect(text.replace(/\n/g, ' ')).toContain('still being filled from the history');
    expect(await inPipe(['pulls'])).toMatchObject({ complete: false, gaps: [{ reason: 'flow' }], state: 'filling' });
    expect((await onTerminal(['pulls'])).replace(/\n/g, ' ')).toContain('nothing is known of what was before');
  });

  test('fits a narrow terminal', async () => {
    const text = await onTerminal(['pulls', '--by', 'organization,repository'], { COLUMNS: '40' });
    expect(Math.max(...text.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(40);
    expect(text).toMatch(/│ seqera/);
  });

  test('has colours where they are wanted', async () => {
    const env = { ...stats.env, NO_COLOR: '' };
    const { stdout } = await weirDone(['stats', 'pulls', '--by', 'organization'], { env, terminal: true });
    expect(stdout).toMatch(/\u001b\[36m█/);
    expect(await onTerminal(['pulls', '--by', 'organization'])).not.toContain('\u001b');
  });

  test('--watch in a pipe sees what comes', async () => {
    const watching = weir(['stats', 'pulls', '--from', 'now-60d', '--to', 'now-50d', '--watch', '1'], { env: stats.env }); // prettier-ignore
    const totals = () => watching.stdout().trim().split('\n').filter(Boolean).map((line) => (JSON.parse(line) as Rows).total); // prettier-ignore
    await until(() => totals().length > 0);
    expect(totals()[0]).toBe(0);
    await write(stats.redis, [{ time: Date.now() - 55 * 86_400_000, pulls: 4, bytes: 1, dimensions: {} }]);
    await until(() => totals().includes(4));
    watching.stop();
    expect(await watching.exit).toBe(0);
  });
});

describe('weir stats latest and uniques', () => {
  test('latest: when each came last', async () => {
    const text = await onTerminal(['latest', 'pulls', '--by', 'repository']);
    expect(text).toMatch(/│ seqera\/nf +│ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ │/);
    const { rows } = await inPipe<Rows>(['latest', 'pulls', '--by', 'repository', '--where', 'repository=acme/app']);
    expect(rows).toEqual([{ repository: 'acme/app', time: expect.stringMatching(/Z$/) as string }]);
  });

  test('uniques: how many sources, of each day', async () => {
    const text = await onTerminal(['uniques', '--repository', 'library/alpine']);
    expect(text.match(/│ \d{4}-\d\d-\d\d │ +0 │/g)).toHaveLength(7);
    expect(text).toMatch(/0 different sources of library\/alpine, .* an estimate, ± 0\.81 %/);
    expect(await inPipe(['uniques', '--from', '2026-11-01', '--to', '2026-11-02'])).toMatchObject({ days: [{ day: '2026-11-01' }, { day: '2026-11-02' }] }); // prettier-ignore
    expect(await asked(['uniques', '--from', 'someday'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/^weir: from: must be a day/) as string }); // prettier-ignore
  });
});

describe('what cannot be answered', () => {
  test.each([
    [['clicks'], /statistic: there is no such statistic; allowed: pulls/],
    [['pulls', '--measure', 'cups'], /measure: .*cups.*; allowed: pulls, bytes/],
    [['pulls', '--by', 'colour'], /by: .*colour.*; allowed: organization, repository, client, architecture/],
    [['pulls', '--from', 'noon'], /from: is not a time/],
    [['pulls', '--interval', 'minute'], /interval: must be hour, day/],
    [['pulls', '--weekday', 'caturday'], /weekday: must be sunday/],
    [['pulls', '--top', '3'], /top: needs by/],
    [['pulls', '--where', 'colour=red'], /colour: is no parameter here/],
    [['pulls', '--where', 'client=docker', '--by', 'organization'], /by: .*not kept together/],
    [['latest', 'pulls', '--by', 'client'], /by: .*; allowed: repository/],
    [['latest', 'pulls'], /by: is missing/],
  ])('%j: which parameter, what is wrong with it, what is allowed; exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await asked(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test.each([
    [['pulls', '--where', 'organization'], /It must be a dimension and its value/],
    [['pulls', '--limit', '0'], /It must be a number from 1/],
    [['pulls', '--watch', '0'], /It must be a number of seconds/],
    [['pulls', '--csv', '--json'], /exclude each other/],
    [['pulls', '--csv', '--watch'], /not --csv/],
  ])('%j: wrong usage, before anybody is asked', async (args, message) => {
    expect(await weirDone(['stats', ...args], { env: {} })).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string }); // prettier-ignore
  });

  test('who is nobody is told what to set, and who may not that they may not', async () => {
    expect(await asked(['pulls'], { env: { STATS_PASSWORD: 'wrong' } })).toMatchObject({ code: 1, stderr: expect.stringContaining('does not know who asks: check STATS_USER and STATS_PASSWORD') as string }); // prettier-ignore
    expect(await asked(['pulls', '--where', 'organization=seqera.io'], { env: stats.scoped })).toMatchObject({ code: 1, stderr: expect.stringContaining('only the numbers of acme.example may be read') as string }); // prettier-ignore
    expect((JSON.parse((await asked(['pulls'], { env: stats.scoped })).stdout) as Rows).total).toBe(21);
  });

  test('a read API without its Redis: exit code 69', async () => {
    const app = startStatsApp('redis://127.0.0.1:1');
    const { code, stderr } = await asked(['pulls'], { env: { STATS_URL: await urlOf(app) } });
    expect(code).toBe(69);
    expect(stderr).toMatch(/cannot answer now \(503\): .*; its \/readyz says what it lacks\n$/);
    await app.stop();
  });
});

describe('the guide', () => {
  const guide = readFileSync(join(__dirname, '../../../../docs/command-line.md'), 'utf8');
  const lines = [...guide.matchAll(/^ *npx weir (stats[^\n]*)$/gm)].map(([, line]) => (line ?? '').replace(/ +#.*$/, '').replace(/ > \S+$/, '')); // prettier-ignore

  test.each(lines.filter((line) => !line.includes('--watch')))('weir %s', async (line) => {
    expect(await asked(line.split(' ').slice(1))).toMatchObject({ code: 0, stderr: '' });
    expect(await asked(line.split(' ').slice(1), { terminal: true })).toMatchObject({ code: 0, stderr: '' });
  });

  test('has lines', () => expect(lines.length).toBeGreaterThan(8));
});
