import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { until } from '@weir/testing';
import { bucketKey, formatMember } from '@weir/usage';
import pino from 'pino';
import { Registry } from 'prom-client';
import { authorization, giveApi, type TestApi } from '../api.test-support';
import { createMetrics } from '../metrics';
import { write } from './cubes.test-support';
import { createTurns } from './turns';

let api: TestApi;
giveApi((given) => (api = given));

const now = new Date().toISOString();
const path = '/v1/query?statistic=pulls&by=organization,repository&from=today&to=today&format=ndjson';
/** Far more than lies in the buffers of a connection: rows of some 500 bytes. */
const MANY = 40_000;

/** A day of pulls of so many organizations. */
async function many(): Promise<string> {
  const prefix = `${randomUUID()}:`;
  await write(api.writing, prefix, []);
  const series = { statistic: 'pulls', measure: 'pulls', group: ['organization', 'repository'] };
  const members = Array.from({ length: MANY }, (_, n) => [1, formatMember([`${'o'.repeat(200)}${n}`, 'r'.repeat(200)])]);
  for (let at = 0; at < MANY; at += 5000) {
    for (const bucket of days) await api.writing.zadd(bucketKey(prefix, series, bucket), ...members.slice(at, at + 5000).flat());
  }
  return prefix;
} // prettier-ignore

/** Today, and tomorrow in case that this is a test before midnight. */
const days = [0, 1].map((day) => new Date(Date.parse(now) + day * 86_400_000).toISOString().slice(0, 10));

/** A request whose answer is not read yet. */
async function begun(url: string): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { headers: { authorization } }), 'response')) as [IncomingMessage];
  return response;
}

/** How many characters came, and whether it ended as a whole answer does. */
async function rest(response: IncomingMessage): Promise<{ length: number; whole: boolean }> {
  let length = 0;
  response.on('data', (data: Buffer) => (length += data.length));
  await Promise.race([once(response, 'end'), once(response, 'error'), once(response, 'close')]).catch(() => {});
  return { length, whole: response.complete };
}

test('an answer of many rows goes out as it is read, whole', async () => {
  const base = await api.serve({ prefix: await many() });
  const response = await begun(`${base}${path}`);
  expect([response.statusCode, response.headers.etag, response.headers['content-length'], response.headers['link']]).toEqual([200, undefined, undefined, undefined]); // prettier-ignore
  const { length, whole } = await rest(response);
  expect(whole).toBe(true);
  expect(length).toBeGreaterThan(MANY * 400);
}, 120_000);

test('an answer that breaks off does not look whole, and the log says why but not what was asked', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const base = await api.serve({ prefix: await many(), log });
  for (const format of ['ndjson', 'csv', 'json&limit=100000']) {
    const response = await begun(`${base}${path.replace('ndjson', format)}`);
    await api.server.stop();
    expect(response.statusCode).toBe(200);
    expect((await rest(response)).whole).toBe(false);
    await api.server.start();
    await until(async () => (await api.reading.ready()) === true && api.writing.status === 'ready');
  }
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(Array(3).fill('an answer broke off'));
  expect(lines.join('')).not.toMatch(/organization|lovelace|Basic/);
}, 120_000);

test('so many questions are answered at once, and the next one is told to come again', async () => {
  const registry = new Registry();
  const turns = createTurns(2);
  const metrics = createMetrics([registry], turns.taken);
  const base = await api.serve({ prefix: await many(), v1: { turns, metrics } });
  const slow = [await begun(`${base}${path}`), await begun(`${base}${path}`)];
  const refused = await fetch(`${base}/v1/statistics`, { headers: { authorization } });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await refused.json()).toMatchObject({ status: 503, title: 'Service Unavailable' });
  expect(await registry.getSingleMetricAsString('weir_stats_running')).toMatch(/weir_stats_running 2$/m);

  for (const other of ['/uniques', '/v1alpha3/metrics/pulls'])
    expect((await fetch(`${base}${other}`, { headers: { authorization } })).status).toBe(503);

  slow[0]?.destroy();
  await until(() => turns.taken() === 1);
  expect((await fetch(`${base}/v1/statistics`, { headers: { authorization } })).status).toBe(200);
  expect((await rest(slow[1] as IncomingMessage)).whole).toBe(true);
  await until(() => turns.taken() === 0);
  const counted = await registry.getSingleMetricAsString('weir_stats_answers_total');
  for (const series of ['route="query",status="broken-off"} 1', 'route="query",status="2xx"} 1', 'route="statistics",status="5xx"} 1', 'route="statistics",status="2xx"} 1'])
    expect(counted).toContain(series);
  expect(await registry.getSingleMetricAsString('weir_stats_questions_total')).toContain('{statistic="pulls"} 2');
}, 120_000); // prettier-ignore

test('while Redis is away all is 503, and comes back with Redis', async () => {
  const prefix = `${randomUUID()}:`;
  await write(api.writing, prefix, [{ time: now }]);
  const base = await api.serve({ prefix });
  const paths = ['/v1/query?statistic=pulls', '/v1/latest?statistic=pulls&by=client', '/v1/gaps', '/v1/statistics'];
  await api.server.stop();
  await until(async () => (await api.reading.ready()) !== true);
  for (const each of paths) {
    const response = await fetch(`${base}${each}`, { headers: { authorization } });
    expect([each, response.status, response.headers.get('retry-after')]).toEqual([each, 503, '5']);
    expect(await response.json()).toMatchObject({ status: 503, title: 'Service Unavailable' });
  }
  await api.server.start();
  await until(async () => (await api.reading.ready()) === true);
  for (const each of paths) expect((await fetch(`${base}${each}`, { headers: { authorization } })).status).toBe(200);
});
