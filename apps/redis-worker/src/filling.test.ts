import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { declareTopology, EXCHANGE } from '@weir/bus';
import { createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { isolated, startApp, temporaryDirectory, until, type AppProcess, type Isolated } from '@weir/testing';
import { createCounter, loadStatistics, statistics } from '@weir/usage';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { Redis } from 'ioredis';

/** The walk-through of docs/adding-a-statistic.md, as a process of its own over a real broker with a history. */

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: Isolated;
let store: Isolated;
let scratch: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;
let redis: Redis;
let folder: string;
let worker: AppProcess | undefined;
let published: WeirEvent[];

beforeEach(async () => {
  directory = await temporaryDirectory();
  folder = join(directory.path, 'statistics');
  await mkdir(folder);
  broker = await isolated.amqp();
  store = await isolated.redis();
  scratch = await isolated.redis();
  connection = await connect(broker.url);
  channel = await connection.createConfirmChannel();
  await declareTopology(channel);
  redis = new Redis(store.url);
  published = [];
}, 90_000);
afterEach(async () => {
  await worker?.stop();
  redis.disconnect();
  await connection.close();
  for (const each of [broker, store, scratch, directory]) await each.remove();
});

/** The first listing of the page: the plug-in itself. */
async function plugin(): Promise<string> {
  const page = await readFile(join(__dirname, '../../../docs/adding-a-statistic.md'), 'utf8');
  return /^```js\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
}

let made = 0;
/** Pulls of charts, artifacts and images, yesterday and today; every tenth comes twice. */
async function publish(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const at = (made += 1);
    const data = {
      repository: `r/${at % 5}`,
      kind: ['image', 'helm-chart', 'artifact'][at % 3],
      ...(at % 3 === 2 ? { artifactType: `application/vnd.${at % 4}` } : {}),
      ...(at % 7 === 0 ? {} : { user: { organization: `org-${at % 6}` } }),
      bytes: 100 + (at % 13),
    };
    const time = new Date(Date.now() - (at % 30) * 3_600_000);
    const event = createEvent('io.weir.pull', data, { source: 'test', id: `pull-${at}`, time });
    published.push(event);
    for (let times = at % 10 === 0 ? 2 : 1; times > 0; times -= 1) {
      channel.publish(EXCHANGE, '', encodeEvent(event), { persistent: true });
    }
  }
  await channel.waitForConfirms();
}

function start(env: Record<string, string> = {}): AppProcess {
  worker = startApp('redis-worker', { AMQP_URL: broker.url, REDIS_URL: store.url, ...env });
  return worker;
}

async function kill(app: AppProcess): Promise<void> {
  app.signal('SIGKILL');
  await app.stop();
}

const volume = async () => {
  const days = await redis.keys('weir:cube:volume:events::????-??-??');
  return (await Promise.all(days.map((day) => redis.zscore(day, '')))).reduce((sum, each) => sum + Number(each), 0);
};
const counted = () => until(async () => (await volume()) === published.length, 60_000);
const isLive = async () => (await redis.get('weir:live'))?.includes('artifacts@') === true;

/** What the keys of the plug-in hold. */
async function numbers(client = redis): Promise<Record<string, string[]>> {
  const keys = (await client.keys('weir:cube:artifacts:*')).sort();
  const values = await Promise.all(keys.map((key) => client.zrange(key, 0, '-1', 'WITHSCORES')));
  return Object.fromEntries(keys.map((key, at) => [key, values[at] ?? []]));
}

/** Everything that was published, counted once in an empty Redis by a counter that knows the plug-in from the beginning. */
async function fromScratch(): Promise<Record<string, string[]>> {
  const client = new Redis(scratch.url);
  await writeFile(join(directory.path, 'again.js'), (await plugin()).replace('export default', 'module.exports ='));
  const { cubes } = await loadStatistics(directory.path, statistics);
  expect(cubes.map(({ name }) => name)).toEqual(['artifacts']);
  await createCounter({ redis: client, prefix: '', dedupeSeconds: 1000, statistics: cubes }).count(published);
  const all = await numbers(client);
  client.disconnect();
  return all;
}

test('the plug-in of the page has less than 40 lines', async () => {
  const lines = (await plugin()).split('\n').length - 1;
  expect(lines).toBeGreaterThan(10);
  expect(lines).toBeLessThan(40);
});

test('dropped into the folder it is filled while events go on, and equals a count from scratch', async () => {
  const before = start();
  await publish(8000);
  await counted();
  await before.stop();
  await publish(500); // these wait in the queue when the worker starts with the plug-in

  await writeFile(join(folder, 'artifacts.mjs'), await plugin());
  await writeFile(join(folder, 'broken.mjs'), 'export default { name: "broken" };');
  const app = start({ STATISTICS_DIR: folder });
  const publishing = (async () => {
    for (let rounds = 0; rounds < 20; rounds += 1) await publish(50);
  })();
  await app.logged(({ msg }) => msg === 'filled');
  await publishing;
  await publish(100);
  await counted();
  expect(await isLive()).toBe(true);
  expect(await numbers()).toEqual(await fromScratch());
  expect(Object.keys(await numbers()).length).toBeGreaterThan(100);

  const { ready, checks } = (await app.readiness()) as { ready: boolean; checks?: Record<string, unknown> };
  expect(ready).toBe(true);
  expect(checks?.['statistics']).toMatch(/^broken\.mjs: summary: must be text/);
  const description = JSON.parse((await redis.hget('weir:statistics', 'artifacts')) ?? '') as object;
  expect(description).toMatchObject({ name: 'artifacts', state: 'live', failures: 0, groups: [['type'], ['organization'], ['type', 'organization']] });
  expect(await redis.hkeys('weir:statistics')).not.toContain('broken');
}, 120_000); // prettier-ignore

test('killed with -9 in the middle of the filling, again and again, it still equals a count from scratch', async () => {
  const before = start();
  await publish(20_000);
  await counted();
  await before.stop();
  await writeFile(join(folder, 'artifacts.mjs'), await plugin());
  const staged = async () => {
    const days = await redis.keys('weir:fill:*:weir:seen:*');
    return (await Promise.all(days.map((day) => redis.scard(day)))).reduce((sum, each) => sum + each, 0);
  };
  let killed = 0;
  for (const goal of [1, 6000, 14_000]) {
    const app = start({ STATISTICS_DIR: folder });
    await publish(200);
    await until(async () => (await staged()) >= goal || (await isLive()));
    if (await isLive()) break;
    await kill(app);
    killed += 1;
    await redis.del('weir:filling'); // it goes by itself, 30 s after its process
    expect(await numbers()).toEqual({});
  }
  expect(killed).toBe(3);
  const app = start({ STATISTICS_DIR: folder });
  await publish(300);
  await app.logged(({ msg }) => msg === 'filled');
  await publish(300);
  await counted();
  expect(await numbers()).toEqual(await fromScratch());
  expect(await redis.keys('weir:fill:*')).toEqual([]);
}, 180_000);
