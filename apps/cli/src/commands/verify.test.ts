import { deadQueueOf, EXCHANGE } from '@weir/bus';
import { encodeEvent, type WeirEvent } from '@weir/events';
import { isolated, until, type IsolatedDatabase } from '@weir/testing';
import { MongoClient } from 'mongodb';
import { NOON, NOON_DAY, openBench, pulls, type Bench } from '../history/bench.test-support';
import { weirDone } from '../io.test-support';

let bench: Bench;
let influx: IsolatedDatabase;
let mongo: IsolatedDatabase;
let client: MongoClient;
let env: Record<string, string>;

beforeEach(async () => {
  bench = await openBench();
  [influx, mongo] = [await isolated.influx(), await isolated.mongodb()];
  client = await MongoClient.connect(mongo.url);
  env = {
    ...bench.env,
    INFLUX_URL: influx.url,
    INFLUX_DATABASE: influx.database,
    INFLUX_FLOW_DATABASE: `${influx.database}_flow`,
    MONGODB_URL: mongo.url,
    MONGODB_DATABASE: mongo.database,
  };
}, 90_000);
afterEach(async () => {
  await bench.close();
  await inInflux(`DROP DATABASE "${influx.database}_flow"`);
  await client.close();
  await influx.remove();
  await mongo.remove();
});

interface Answer {
  ok: boolean;
  differences: number;
  drifts: { store: string; key: string; expected: number; found: number; difference: number }[];
  [field: string]: unknown;
}

async function verify(...args: string[]): Promise<{ code: number; stderr: string; answer: Answer }> {
  const { code, stdout, stderr } = await weirDone(['verify', ...args], { env });
  return { code, stderr, answer: (stdout === '' ? {} : JSON.parse(stdout)) as Answer };
}

async function inInflux(q: string): Promise<void> {
  const { origin, username, password } = new URL(influx.url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const url = `${origin}/query?db=${influx.database}`;
  const response = await fetch(url, { method: 'POST', headers: { authorization }, body: new URLSearchParams({ q }) });
  expect(await response.text()).not.toContain('error');
}

function startWorkers(): void {
  for (const app of ['redis-worker', 'influx-worker', 'mongo-worker']) bench.startWorker(app, env);
}

const documents = () => client.db(mongo.database).collection('events');

test('three stores that have everything do not drift, while events keep coming', async () => {
  startWorkers();
  const events = pulls(1500);
  await bench.publish([...events, ...events.slice(0, 200)]);
  await bench.settled();
  const flow = bench.flow(150);
  const { code, answer } = await verify('--wait', '60');
  await flow.stop();
  expect(answer).toMatchObject({ ok: true, differences: 0, drifts: [], left: [], invalid: 0 });
  expect(answer['days']).toEqual({ redis: [NOON_DAY], influx: [NOON_DAY], mongo: [NOON_DAY] });
  expect(answer['deadLetters']).toEqual({ redis: 0, influx: 0, mongo: 0 });
  expect(code).toBe(0);
  expect(await bench.redis.keys('weir:recount:*')).toEqual([]);
  expect(await bench.redis.exists('weir:hold')).toBe(0);
}, 120_000);

test('what is missing, too much or changed is told by store and key, exit code 1', async () => {
  startWorkers();
  const events = pulls(600);
  await bench.publish(events);
  expect((await verify('--wait', '60')).answer.drifts).toEqual([]);

  await bench.redis.decrby(`pulls/d/${NOON_DAY}`, 2);
  await bench.redis.set('pulls/o/nobody', 3);
  await bench.redis.sadd(`weir:seen:${NOON_DAY}`, Buffer.alloc(16, 7));
  const minute = (n: number) => new Date(NOON + n * 60_000).toISOString().slice(0, 16);
  await inInflux(`DELETE FROM "pull" WHERE time >= '${minute(3)}:00Z' AND time < '${minute(4)}:00Z'`);
  await documents().deleteOne({ time: new Date(NOON) });
  const { _id, ...document } = (await documents().findOne({ time: new Date(NOON + 60_000) })) ?? {};
  await documents().insertMany([{ ...document }, { ...document }]);
  expect(_id).toBeDefined();

  const { code, answer } = await verify('--wait', '0');
  expect(code).toBe(1);
  const inMinute = events.filter(({ time }) => time.startsWith(minute(3)));
  const pulled = inMinute.filter(({ type }) => type === 'io.weir.pull').length;
  const lines = answer.drifts.map(({ store, key, difference }) => `${store} ${key} ${difference}`);
  expect(lines).toEqual([
    `redis pulls/d/${NOON_DAY} -2`,
    'redis pulls/o/nobody 3',
    `redis weir:seen:${NOON_DAY} 1`,
    `influx ${minute(3)}Z ${-pulled}`,
    `mongo ${minute(0)}Z -1`,
    `mongo ${minute(1)}Z 2`,
  ]);
  expect(answer).toMatchObject({ ok: false, differences: 6 });

  const only = await verify('--wait', '0', '--only', 'influx');
  expect(only.answer.drifts.map(({ store }) => store)).toEqual(['influx']);
  const table = await weirDone(['verify', '--wait', '0', '--only', 'mongo', '--limit', '1'], { env, terminal: true });
  expect(table.code).toBe(1);
  expect(table.stdout).toMatch(/mongo .*Z.*-1[\s\S]*and 1 more[\s\S]*2 keys drift/);
}, 120_000);

test('a worker that is behind is no drift: it cannot be judged, exit code 69, and what to do is said', async () => {
  await bench.publish(pulls(50));
  const { code, stderr, answer } = await verify('--only', 'redis', '--wait', '1');
  expect({ code, answer }).toEqual({ code: 69, answer: {} });
  expect(stderr).toMatch(/has not counted \d+ events yet, and 50 wait in weir\.redis: is it running\?/);
  const worker = bench.startWorker();
  expect(await verify('--only', 'redis', '--wait', '60')).toMatchObject({ code: 0, answer: { ok: true } });
  await worker.stop();
});

test('an event that was lost on its way is drift, and dead letters are named as what explains it', async () => {
  const worker = bench.startWorker();
  await bench.publish(pulls(50));
  await bench.settled();
  await worker.stop();
  const lost = pulls(3).filter(({ type }) => type === 'io.weir.pull') as WeirEvent[];
  for (const event of lost) bench.channel.sendToQueue('weir.history', encodeEvent(event));
  bench.channel.sendToQueue(deadQueueOf('redis'), encodeEvent(lost[0] as WeirEvent), { persistent: true });
  await bench.channel.waitForConfirms();
  const { code, answer } = await verify('--only', 'redis', '--wait', '1');
  expect(code).toBe(1);
  expect(answer.drifts).toContainEqual(
    expect.objectContaining({ key: `pulls/d/${NOON_DAY}`, difference: -lost.length }),
  );
  expect(answer['deadLetters']).toEqual({ redis: 1 });
});

test('a window leaves other days out, and counters for all time are held against their days', async () => {
  bench.startWorker();
  const before = new Date(NOON - 24 * 3600_000).toISOString().slice(0, 10);
  await bench.publish([...pulls(100), ...pulls(100, NOON - 24 * 3600_000)]);
  await bench.settled();
  await bench.redis.incr(`pulls/d/${before}`);
  expect(await verify('--only', 'redis', '--from', NOON_DAY)).toMatchObject({
    code: 0,
    answer: { days: { redis: [NOON_DAY] } },
  });
  expect(await verify('--only', 'redis', '--from', before, '--to', before)).toMatchObject({
    code: 1,
    answer: { differences: 1 },
  });
});

test('what is no event, a canary, and an event of a type that nobody knows are told apart', async () => {
  startWorkers();
  bench.channel.publish(EXCHANGE, '', Buffer.from('{"not":'), { persistent: true });
  const [tea] = pulls(1) as [WeirEvent];
  await bench.publish([{ ...tea, type: 'com.example.tea', id: 'tea' }]);
  await until(async () => (await bench.channel.checkQueue(deadQueueOf('mongo'))).messageCount === 1);
  const { code, answer } = await verify('--wait', '60');
  expect(answer.drifts).toEqual([]);
  expect(answer).toMatchObject({ invalid: 1, deadLetters: { redis: 1, influx: 1, mongo: 1 } });
  expect(code).toBe(0);
}, 120_000);

test.each([
  [{ INFLUX_URL: 'http://weir:hunter2@127.0.0.1:1' }, /InfluxDB at 127\.0\.0\.1:1 does not answer/],
  [{ MONGODB_URL: 'mongodb://weir:hunter2@127.0.0.1:1' }, /MongoDB at 127\.0\.0\.1:1 cannot be read/],
  [{ REDIS_URL: 'redis://:hunter2@127.0.0.1:1' }, /Redis at 127\.0\.0\.1:1 does not answer/],
])('a store that does not answer is no drift: exit code 69, %j', async (other, message) => {
  const { code, stdout, stderr } = await weirDone(['verify'], { env: { ...env, ...other } });
  expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('hunter2');
});

test.each([
  [['--only', 'postgres'], /Allowed choices are redis, influx, mongo/],
  [['--wait', 'long'], /a number of seconds/],
  [['--from', 'yesterday'], /--from must be a day/],
])('%j is refused, exit code 2', async (args, message) => {
  expect(await verify(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
});
