import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createEvent, organizationOf, type WeirEvent } from '@weir/events';
import { startApp, startRedis, temporaryDirectory, until, type AppProcess, type PrivateServer } from '@weir/testing';
import { createCounter, createFlowRecorder, descriptionsKey, isCube, KEEP_DAYS, statistics } from '@weir/usage';
import { source as axe } from 'axe-core';
import { Redis } from 'ioredis';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchBrowser } from './browser.test-support';
import { HOSTILE, traffic } from './traffic.test-support';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const IMAGES = join(__dirname, '../../../docs/images');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const count = new Intl.NumberFormat('en').format;

jest.setTimeout(120_000);

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let redis: Redis;
let stats: AppProcess;
let base: string;
let browser: Browser;
let events: WeirEvent[];
const now = Date.now();
/** `WEIR_SCREENSHOTS=1 npx jest apps/stats/src/page` makes the pictures of the docs anew, of a busier registry. */
const picturing = process.env['WEIR_SCREENSHOTS'] === '1';

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startRedis({ dir: directory.path });
  redis = new Redis(server.url);
  redis.on('error', () => {});
  events = traffic({ now, days: 15, busy: picturing ? 120 : 8 });
  await write(events);
  stats = startApp('stats', {
    STATS_PORT: '0',
    ADMIN_PORT: '0',
    STATS_USERS: `ada:${sha256('lovelace')}`,
    STATS_KEYS: `acme:${sha256('a-key-of-acme-alone')}:acme.example`,
    REDIS_URL: server.url,
  });
  const { port } = await stats.logged(({ msg }) => msg === 'answering');
  base = `http://127.0.0.1:${port as number}`;
  await until(async () => (await stats.readiness()).ready);
  browser = await launchBrowser();
}, 600_000);

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

afterAll(async () => {
  await browser?.close();
  expect(await stats?.stop()).toBe(0);
  redis?.disconnect();
  await server?.stop();
  await directory?.remove();
});

/** Counts as the redis-worker does, and writes down what there is to be asked. */
async function write(batch: readonly WeirEvent[]): Promise<void> {
  const names = 1000;
  const distinct = { keepDays: 400, namesADay: names };
  const counter = createCounter({ redis, statistics, prefix: '', dedupeSeconds: 30 * 86_400, distinct, names });
  for (let at = 0; at < batch.length; at += 1000) await counter.count(batch.slice(at, at + 1000));
  for (const { name, summary, description, measures, dimensions, groups, latest = [], keepDays = KEEP_DAYS } of statistics.filter(isCube)) {
    const told = { name, summary, description, measures, dimensions, groups, latest, keepDays, names, state: 'live', failures: 0 };
    await redis.hset(descriptionsKey(''), name, JSON.stringify(told));
  }
} // prettier-ignore

/** What the page shows for the last 7 days, which begin at a whole hour. */
const lastWeek = ({ time }: WeirEvent) => Date.parse(time) >= Math.floor((Date.now() - 7 * DAY_MS) / HOUR_MS) * HOUR_MS;
const isPull = ({ type }: WeirEvent) => type === 'io.weir.pull';
const ofAcme = (event: WeirEvent) => organizationOf(event) === 'acme.example';
const how = (many: readonly WeirEvent[], ...which: ((event: WeirEvent) => boolean)[]) =>
  count(many.filter((event) => which.every((each) => each(event))).length);

/** A page that must not say anything on its console, nor ask anybody else for anything. */
interface Visited {
  page: Page;
  /** What went wrong so far, in order. */
  complaints: string[];
}

async function visit(path = '/', options: BrowserContextOptions & { anonymous?: boolean } = {}): Promise<Visited> {
  const { anonymous = false, ...how } = options;
  const context = await browser.newContext({ viewport: { width: 1320, height: 900 }, ...how });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== base) complaints.push(`asked ${request.url()}`);
  });
  if (!anonymous) {
    const authorization = `Basic ${Buffer.from('ada:lovelace').toString('base64')}`;
    await context.addInitScript(`sessionStorage.setItem('weir-authorization', ${JSON.stringify(authorization)})`);
  }
  await page.goto(`${base}${path}`);
  return { page, complaints };
}

const tile = (page: Page, name: string) => page.getByRole('region', { name: 'Totals' }).getByRole('button', { name });
const panel = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
const row = (page: Page, table: string, name: string) => panel(page, table).getByRole('button', { name, exact: true });

/** Waits until nothing is being loaded, and there is something. */
async function settled(page: Page): Promise<void> {
  await page.locator('.tile').first().waitFor();
  await until(async () => (await page.locator('[aria-busy="true"]').count()) === 0);
}

test('its files, and no others, are there for everybody; nothing in them may come from elsewhere', async () => {
  const response = await fetch(`${base}/`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/); // prettier-ignore
  expect(response.headers.get('content-security-policy')).not.toContain('unsafe');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await response.text()).not.toMatch(/https?:\/\//);

  const status = async (path: string, init: RequestInit = {}) => (await fetch(`${base}${path}`, init)).status;
  expect(await status('/panels/time.js')).toBe(200);
  expect(await status('/assets/uPlot.iife.min.js')).toBe(200);
  for (const path of ['/panels/', '/assets/', '/assets/uPlot.cjs.js', '/package.json', '/%2e%2e/package.json', '/MAIN.JS']) {
    expect([path, await status(path)]).toEqual([path, 404]);
  } // prettier-ignore
  expect(await status('/', { method: 'POST' })).toBe(404);
  const etag = response.headers.get('etag') ?? '';
  expect(await status('/', { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).toBe(304);
});

test('asks for a name and password, says when they are wrong, and shows exact numbers when they are right', async () => {
  const { page } = await visit('/', { anonymous: true });
  const notice = page.getByRole('alert');
  const signIn = async (name: string, secret: string) => {
    await notice.getByLabel('Name').fill(name);
    await notice.getByLabel('Password or key').fill(secret);
    await notice.getByRole('button', { name: 'Sign in' }).click();
  };
  await notice.getByText('Numbers are shown to those who have an account.').waitFor();
  expect(await page.locator('.panel').count()).toBe(0);
  await signIn('ada', 'byron');
  await notice.getByText('is not known here').waitFor();
  await signIn('ada', 'lovelace');
  await settled(page);
  expect(await notice.count()).toBe(0);
  expect(await tile(page, 'Pulls').locator('.tile-value').textContent()).toBe(how(events, isPull, lastWeek));
});

test('shows the totals, tables and lists of a week exactly, without a complaint or a request to anybody else', async () => {
  const { page, complaints } = await visit();
  await settled(page);
  const of = (type: string) => ({ type: each }: WeirEvent) => each === `io.weir.${type}`; // prettier-ignore
  for (const [name, type] of [['Pulls', 'pull'], ['Checks', 'check'], ['Downloads', 'download'], ['Builds', 'build']] as const) {
    expect([name, await tile(page, name).locator('.tile-value').textContent()]).toEqual([name, how(events, of(type), lastWeek)]);
  } // prettier-ignore

  const cells = row(page, 'Organizations', 'acme.example').locator('xpath=ancestor::tr').getByRole('cell');
  expect(await cells.first().textContent()).toBe(how(events, isPull, lastWeek, ofAcme));
  const anonymous = row(page, 'Organizations', 'anonymous').locator('xpath=ancestor::tr').getByRole('cell');
  expect(await anonymous.first().textContent()).toBe(how(events, isPull, lastWeek, (event) => organizationOf(event) === undefined)); // prettier-ignore
  await row(page, 'Places', 'Germany').waitFor();
  const failed = panel(page, 'Builds and their outcomes')
    .getByRole('row', { name: /^failed/ })
    .getByRole('cell')
    .first();
  const hasFailed = ({ data }: WeirEvent) => data['outcome'] === 'failed';
  expect(await failed.textContent()).toBe(how(events, of('build.finished'), lastWeek, hasFailed));
  await panel(page, 'Unique sources').getByText('different sources pulled on the days from').waitFor();
  expect(await page.locator('canvas').count()).toBe(2);
  expect(await page.getByRole('status').textContent()).toMatch(`Pulls: ${how(events, isPull, lastWeek)} in the last 7 days`); // prettier-ignore
  expect(complaints).toEqual([]);
});

test('a click filters by it, in the URL: that stays when loaded again, and the back button takes it away', async () => {
  const { page, complaints } = await visit();
  await settled(page);
  const pulls = tile(page, 'Pulls').locator('.tile-value');
  const all = how(events, isPull, lastWeek);
  const own = how(events, isPull, lastWeek, ofAcme);

  await row(page, 'Organizations', 'acme.example').click();
  await until(async () => (await pulls.textContent()) === own);
  expect(new URL(page.url()).search).toBe('?organization=acme.example');
  const chip = page.getByRole('button', { name: 'Remove the filter organization: acme.example' });
  await chip.waitFor();

  await page.reload();
  await settled(page);
  expect(await pulls.textContent()).toBe(own);
  await page.goBack();
  await until(async () => (await pulls.textContent()) === all);
  expect(new URL(page.url()).search).toBe('');
  expect(await chip.count()).toBe(0);

  await row(page, 'Organizations', 'anonymous').click();
  await page.getByRole('button', { name: 'Remove the filter organization: anonymous' }).click();
  await until(async () => (await pulls.textContent()) === all);
  expect(complaints).toEqual([]);
});

test('another measure and another range are shown in all of the page', async () => {
  const { page, complaints } = await visit();
  await settled(page);
  await tile(page, 'Builds').click();
  await page.getByRole('heading', { name: 'Builds over time' }).waitFor();
  await page.getByRole('button', { name: '24 h' }).click();
  await settled(page);
  expect(new URL(page.url()).search).toBe('?range=24h&statistic=builds&measure=started');
  const lastDay = ({ time }: WeirEvent) => Date.parse(time) >= Math.floor((Date.now() - DAY_MS) / HOUR_MS) * HOUR_MS;
  const isBuild = ({ type }: WeirEvent) => type === 'io.weir.build';
  expect(await tile(page, 'Builds').locator('.tile-value').textContent()).toBe(how(events, isBuild, lastDay));

  await page.getByText('Custom').click();
  const day = (ago: number) => new Date(now - ago * DAY_MS).toISOString().slice(0, 10);
  await page.getByLabel('From').fill(day(30));
  await page.getByLabel('To', { exact: true }).fill(day(29));
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await panel(page, 'Builds over time').getByText('There are no builds in this range.').waitFor();
  expect(new URL(page.url()).search).toBe(`?from=${day(30)}&to=${day(29)}&statistic=builds&measure=started`);
  expect(complaints).toEqual([]);
});

test('a number follows new events by itself, and the focus stays where it is', async () => {
  const { page, complaints } = await visit();
  await settled(page);
  const pulls = tile(page, 'Pulls').locator('.tile-value');
  const button = row(page, 'Organizations', 'acme.example');
  await button.focus();
  const more = Array.from({ length: 7 }, () =>
    createEvent('io.weir.pull', { repository: 'library/nginx', user: { organization: 'acme.example' } }, { source: 'live', id: randomUUID() }),
  ); // prettier-ignore
  await write(more);
  events.push(...more);
  const all = how(events, isPull, lastWeek);
  await until(async () => (await pulls.textContent()) === all);
  expect(await button.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);

  await page.getByRole('button', { name: 'Live' }).click();
  expect(new URL(page.url()).search).toBe('?live=off');
  expect(complaints).toEqual([]);
});

test("a repository's name is text, whatever it says", async () => {
  const { page, complaints } = await visit(`/?repository=${encodeURIComponent(HOSTILE)}`);
  await settled(page);
  await row(page, 'Images', HOSTILE).waitFor();
  await page.getByRole('button', { name: `Remove the filter repository: ${HOSTILE}` }).waitFor();
  expect(await page.locator('main img').count()).toBe(0);
  expect(await page.title()).toBe('Weir: usage');
  expect(complaints).toEqual([]);
});

test('gaps are shown as what they are', async () => {
  const recorder = createFlowRecorder({ redis, prefix: '' });
  const outage = (state: string, hours: number) =>
    createEvent('io.weir.outage', { service: 'login', state }, { source: 'gaps', time: new Date(now - hours * HOUR_MS) });
  await recorder.reported([outage('down', 60), outage('up', 53)]);
  const { page, complaints } = await visit();
  await settled(page);
  await panel(page, 'Health of the flow').getByText('login said that it was down').waitFor();
  await panel(page, 'Pulls over time').getByText('login said that it was down').waitFor();
  expect(await panel(page, 'Pulls over time').locator('.marks').textContent()).toBe('incomplete');
  expect(complaints).toEqual([]);
}); // prettier-ignore

test('an account of one organization sees its numbers, and is told what it may not see', async () => {
  const { page } = await visit('/', { anonymous: true });
  const notice = page.getByRole('alert');
  await notice.getByLabel('Password or key').fill('a-key-of-acme-alone');
  await notice.getByRole('button', { name: 'Sign in' }).click();
  await settled(page);
  const own = how(events, isPull, lastWeek, ofAcme);
  expect(await tile(page, 'Pulls').locator('.tile-value').textContent()).toBe(own);
  await page.goto(`${base}/?organization=biolab.example`);
  await notice.getByRole('heading', { name: 'Not for this account' }).waitFor();
  await notice.getByText('acme.example').waitFor();
  await notice.getByRole('button', { name: 'Without the filter' }).click();
  await notice.waitFor({ state: 'detached' });
  expect(await tile(page, 'Pulls').locator('.tile-value').textContent()).toBe(own);
});

test.each(['light', 'dark'] as const)('has no fault that axe finds in the %s theme', async (colorScheme) => {
  const faults = async (page: Page) => {
    await page.evaluate(axe);
    const found = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
      'axe.run().then(({ violations }) => violations)',
    );
    return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`);
  };
  const { page } = await visit('/?organization=acme.example', { colorScheme });
  await settled(page);
  await page.getByText('The numbers as a table').first().click();
  expect(await faults(page)).toEqual([]);
  const { page: stranger } = await visit('/', { colorScheme, anonymous: true });
  await stranger.getByRole('alert').waitFor();
  expect(await faults(stranger)).toEqual([]);
}); // prettier-ignore

test('can be used with the keyboard alone', async () => {
  const { page } = await visit();
  await settled(page);
  const focused = () => page.evaluate<string>('document.activeElement.textContent.trim() || document.activeElement.id');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to the numbers');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  expect(await focused()).toMatch(/^Pulls/);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Checks over time' }).waitFor();
});

test('the theme that was chosen stays', async () => {
  const { page } = await visit('/', { colorScheme: 'light' });
  const theme = () => page.evaluate('document.documentElement.dataset.theme');
  expect(await theme()).toBe('light');
  await page.getByRole('button', { name: 'Change to the dark theme' }).click();
  await page.reload();
  expect(await theme()).toBe('dark');
});

test('a phone 360 pixels wide shows all of it without scrolling sideways', async () => {
  const { page } = await visit(`/?repository=${encodeURIComponent(HOSTILE)}`, {
    viewport: { width: 360, height: 740 },
  });
  await settled(page);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await page.goto(`${base}/?range=24h`);
  await settled(page);
  await page.getByText('Custom').click();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

const pictures = picturing ? [
  ['stats-light', { colorScheme: 'light' }],
  ['stats-dark', { colorScheme: 'dark' }],
  ['stats-phone', { colorScheme: 'light', viewport: { width: 360, height: 740 } }],
] as const : []; // prettier-ignore
for (const [name, options] of pictures) {
  test(`makes the picture ${name}`, async () => {
    const { page } = await visit('/', options);
    await settled(page);
    await page.screenshot({ path: join(IMAGES, `${name}.png`), fullPage: true });
    expect(await page.locator('.notice').count()).toBe(0);
  });
}

// Last of all: it takes the network and the store away.
test('without a network, and without Redis, it says so, keeps what it has shown, and comes back by itself', async () => {
  const { page } = await visit();
  await settled(page);
  const value = await tile(page, 'Pulls').locator('.tile-value').textContent();
  const notice = page.getByRole('alert');
  await page.context().setOffline(true);
  await notice.getByRole('heading', { name: 'The server does not answer' }).waitFor();
  await page.context().setOffline(false);
  await notice.waitFor({ state: 'detached' });

  await server.stop();
  await notice.getByRole('heading', { name: 'The numbers cannot be read' }).waitFor();
  expect(await tile(page, 'Pulls').locator('.tile-value').textContent()).toBe(value);
  await server.start();
  await write(events);
  await notice.waitFor({ state: 'detached' });
  expect(await tile(page, 'Pulls').locator('.tile-value').textContent()).toBe(how(events, isPull, lastWeek));
});
