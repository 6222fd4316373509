import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXCHANGE, HISTORY, topology } from '@weir/bus';
import { temporaryDirectory, until } from '@weir/testing';
import { NOON, NOON_DAY, openBench, pulls, type Bench } from '../history/bench.test-support';
import { startApp } from '../history/processes.test-support';
import { weir, weirDone } from '../io.test-support';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
}, 90_000);
afterEach(() => bench.close());

/** Everything that is wrong with counters at one time. */
async function damage(): Promise<void> {
  const { redis } = bench;
  await redis.del('pulls/o/org-1');
  await redis.incrby(`pulls/d/${NOON_DAY}`, 1000);
  await redis.set(`scans/d/${NOON_DAY}`, 5);
  await redis.set('pulls/o/nobody', 3);
}

async function rebuild(...args: string[]): Promise<{ code: number; stderr: string; answer: Record<string, unknown> }> {
  const { code, stdout, stderr } = await weirDone(['rebuild', ...args], { env: bench.env });
  return { code, stderr, answer: stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>) };
}

/** Everything in Redis but what a hold or a recount is. */
async function everything(): Promise<Record<string, unknown>> {
  const { redis } = bench;
  const keys = (await redis.keys('*')).filter((key) => !/^weir:(hold|recount|statistic|fill)/.test(key)).sort();
  const value = async (key: string) => {
    const type = await redis.type(key);
    if (type === 'set') return (await redis.smembersBuffer(key)).map((id) => id.toString('hex')).sort();
    return type === 'zset' ? redis.zrange(key, 0, '-1', 'WITHSCORES') : redis.get(key);
  };
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await value(key)])));
}

const recounts = async () => (await bench.redis.keys('weir:recount:*')).length;

test('what is wrong is shown by key and changed by nobody, then repaired to the byte', async () => {
  bench.startWorker();
  await bench.publish(pulls(2000));
  await bench.settled();
  const right = await everything();
  await damage();
  const wrong = await everything();

  const looked = await rebuild('--dry-run');
  expect(looked).toMatchObject({
    code: 0,
    answer: { swapped: false, differences: 4, everything: true, left: [], invalid: 0 },
  });
  expect(looked.answer['drifts']).toContainEqual({
    store: 'redis',
    key: 'pulls/o/nobody',
    expected: 0,
    found: 3,
    difference: 3,
  });
  expect(looked.answer['drifts']).toContainEqual(
    expect.objectContaining({ key: `pulls/d/${NOON_DAY}`, difference: 1000 }),
  );
  expect(await everything()).toEqual(wrong);

  expect(await rebuild('--yes')).toMatchObject({ code: 0, answer: { swapped: true, differences: 4 } });
  expect(await everything()).toEqual(right);
  expect(await rebuild('--dry-run')).toMatchObject({ code: 0, answer: { differences: 0, uncounted: 0 } });
  expect(await recounts()).toBe(0);
});

test('cubes are rebuilt with the counters: those of Weir, and those of STATISTICS_DIR', async () => {
  const directory = await temporaryDirectory();
  const env = { STATISTICS_DIR: directory.path };
  await writeFile(join(directory.path, 'places.js'), PLUGIN);
  bench.startWorker('redis-worker', env);
  await bench.publish(pulls(2000));
  await bench.settled();
  const right = await everything();
  const day = `weir:cube:places:pulls:repository:${NOON_DAY}`;
  expect(right[day]).toBeDefined();
  await bench.redis.zincrby(day, 40, 'r%2F1');
  await bench.redis.del(`weir:cube:pulls:pulls::${NOON_DAY}`);
  const strange = await weirDone(['rebuild', '--dry-run'], { env: bench.env });
  expect(JSON.parse(strange.stdout)).toMatchObject({ differences: 1, unknown: ['places'] });

  const options = { env: { ...bench.env, ...env } };
  const verified = await weirDone(['verify', '--only', 'redis'], options);
  expect(verified.code).toBe(1);
  expect(JSON.parse(verified.stdout)).toMatchObject({ differences: 2, unknown: [] });
  const rebuilt = await weirDone(['rebuild', '--yes'], options);
  expect(JSON.parse(rebuilt.stdout)).toMatchObject({ swapped: true, differences: 2, unknown: [] });
  expect(JSON.parse(rebuilt.stdout)).toMatchObject({
    drifts: expect.arrayContaining([expect.objectContaining({ key: day, difference: 40 })]) as unknown,
  });
  expect(await everything()).toEqual(right);

  // Whoever rebuilds without it makes the worker fill it again, and it comes to the same.
  await weirDone(['rebuild', '--yes'], { env: bench.env });
  await until(async () => (await bench.redis.get('weir:live'))?.includes('places@'), 60_000);
  expect(await everything()).toEqual(right);

  await writeFile(join(directory.path, 'wrong.js'), 'module.exports = 1');
  const refused = await weirDone(['rebuild', '--yes'], options);
  expect(refused.code).toBe(78);
  expect(refused.stderr).toMatch(/STATISTICS_DIR: wrong\.js: must export a statistic/);
  await directory.remove();
}, 180_000);

const PLUGIN = `module.exports = {
  name: 'places', summary: 'Pulls by repository.', description: 'All.',
  measures: { pulls: { summary: 'Pulls.' } }, dimensions: { repository: 'Which.' }, groups: [['repository']],
  increments: ({ type, data }) =>
    type === 'io.weir.pull' ? [{ measures: { pulls: 1 }, dimensions: { repository: data.repository } }] : [],
};`;

test('while events keep coming none is lost and none counted twice', async () => {
  bench.startWorker();
  await bench.publish(pulls(5000));
  await bench.settled();
  const flow = bench.flow(300);
  for (let round = 0; round < 3; round += 1) {
    await damage();
    expect(await rebuild('--yes')).toMatchObject({ code: 0, answer: { swapped: true, everything: true } });
  }
  expect(await flow.stop()).toBeGreaterThan(100);
  await bench.settled();
}, 120_000);

test('duplicates, canaries and what is no event are in the history and count for nothing', async () => {
  bench.startWorker();
  const events = pulls(300);
  await bench.publish([...events, ...events.slice(0, 100)]);
  bench.channel.publish(EXCHANGE, '', Buffer.from('{"not":'), { persistent: true });
  await bench.settled();
  await bench.redis.incr('pulls/o/org-2');
  expect(await rebuild('--yes')).toMatchObject({ code: 0, answer: { invalid: 1, events: 400, differences: 1 } });
  expect(await bench.counters()).toEqual(bench.expected());
});

test('killed at any point, it leaves either all as it was or all replaced, and nothing behind', async () => {
  const worker = bench.startWorker();
  await bench.publish(pulls(20_000));
  await bench.settled();
  await worker.stop(); // so that what is compared stands still
  const right = await everything();
  await damage();
  const wrong = await everything();
  const points: [string, () => Promise<boolean>][] = [
    ['before it does anything', async () => (await recounts()) > 0],
    ['in the middle of counting', async () => (await bench.redis.keys('weir:recount:*:pulls/*')).length > 0],
    ['when it holds the counters', async () => (await bench.redis.exists('weir:hold')) === 1],
    ['after the swap', async () => (await bench.redis.get('pulls/o/nobody')) === null],
  ];
  for (const [, reached] of points) {
    const running = startApp('cli', bench.env, ['rebuild', '--yes']);
    await until(reached);
    await running.kill();
    // It would go by itself, as libs/usage tests; here nobody waits for that.
    if (await bench.redis.exists('weir:hold')) expect(await bench.redis.pttl('weir:hold')).toBeLessThanOrEqual(30_000);
    await bench.redis.del('weir:hold');
    expect([wrong, right]).toContainEqual(await everything());
  }
  expect(await everything()).toEqual(right);

  // The worker goes on, and the next one clears up.
  bench.startWorker();
  await bench.publish(pulls(100));
  await bench.settled();
  for (const key of await bench.redis.keys('weir:recount:*')) expect(await bench.redis.ttl(key)).toBeGreaterThan(0);
  for (const key of await bench.redis.keys('weir:recount:*:weir:alive')) await bench.redis.del(key);
  expect(await rebuild('--yes')).toMatchObject({ code: 0, answer: { differences: 0 } });
  expect(await recounts()).toBe(0);
}, 120_000);

test('a Redis that lost everything under a running worker is rebuilt, and the worker goes on', async () => {
  bench.startWorker();
  await bench.publish(pulls(1000));
  await bench.settled();
  await bench.redis.flushdb();
  await bench.publish(pulls(500));
  await until(async () => (await bench.channel.checkQueue('weir.redis')).messageCount === 0);
  expect(await bench.counters()).toEqual({});
  expect(await rebuild('--yes')).toMatchObject({ code: 0, answer: { swapped: true } });
  await bench.publish(pulls(200));
  await bench.settled();
});

describe('a history that begins after what was counted', () => {
  /** The history with all that was in it goes, and a new one takes its place. */
  async function forget(): Promise<void> {
    await bench.channel.deleteQueue(HISTORY);
    const { options } = topology().queues.find(({ name }) => name === HISTORY) ?? {};
    await bench.channel.assertQueue(HISTORY, options);
    await bench.channel.bindQueue(HISTORY, EXCHANGE, '');
  }

  test('changes nothing: asked for the day by name it is refused, otherwise the day is left as it is', async () => {
    bench.startWorker();
    await bench.publish(pulls(1000));
    await bench.settled();
    await forget();
    await bench.publish(pulls(100));
    await bench.settled();
    const before = await everything();
    const refused = await rebuild('--yes', '--from', NOON_DAY);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /cannot be rebuilt: the history lacks \d+ of the \d+ events that were counted\. Nothing was changed/,
    );
    const left = await rebuild('--yes');
    expect(left).toMatchObject({ code: 0, answer: { everything: false, differences: 0, left: [{ day: NOON_DAY }] } });
    expect(await everything()).toEqual(before);
  });

  test('leaves old days alone whose identities are forgotten, even if it claims to be complete', async () => {
    bench.startWorker();
    const old = NOON - 100 * 24 * 3600_000;
    await bench.publish(pulls(200, old));
    await bench.publish(pulls(200));
    await bench.settled();
    const day = new Date(old).toISOString().slice(0, 10);
    await bench.redis.del(`weir:seen:${day}`); // as 32 days do
    await forget();
    const late = pulls(1, old);
    await bench.publish(late);
    await bench.settled();
    const before = await everything();
    const { answer } = await rebuild('--yes');
    expect((answer['left'] as { day: string }[]).map((each) => each.day)).toContain(day);
    expect(await everything()).toEqual(before);
  });
});

test('a window repairs its days and what is for all time, and leaves other days as they are', async () => {
  bench.startWorker();
  const yesterday = NOON - 24 * 3600_000;
  const day = new Date(yesterday).toISOString().slice(0, 10);
  await bench.publish([...pulls(500), ...pulls(500, yesterday)]);
  await bench.settled();
  const right = await everything();
  await bench.redis.incr(`pulls/d/${NOON_DAY}`);
  await bench.redis.incrby(`pulls/o/org-1/d/${day}`, 7);
  await bench.redis.incrby('pulls/o/org-1', 7);
  const done = await rebuild('--yes', '--from', day, '--to', day);
  expect(done).toMatchObject({ code: 0, answer: { everything: false, differences: 2 } });
  await bench.redis.decr(`pulls/d/${NOON_DAY}`);
  expect(await everything()).toEqual(right);
});

test('a person is asked; without one and without --yes nothing is done', async () => {
  expect(await rebuild()).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/give --yes, or --dry-run/) as string,
  });
  const { code, stdout } = await weirDone(['rebuild', '--dry-run'], { env: bench.env, terminal: true });
  expect(code).toBe(0);
  expect(stdout).toMatch(/all days: 0 events of the history counted anew/);
});

test('an answer of a person is waited for without a hold', async () => {
  bench.startWorker();
  await bench.publish(pulls(200));
  await bench.settled();
  await damage();
  const asked = weir(['rebuild'], { env: bench.env, terminal: true, stdin: 'no\n' });
  expect(await asked.exit).toBe(0);
  expect(asked.stdout()).toMatch(/Replace these 4 keys\? \[y\/N\]/);
  expect(asked.stdout()).toMatch(/4 keys differ; nothing was changed/);
  const agreed = weir(['rebuild'], { env: bench.env, terminal: true, stdin: 'y\n' });
  expect(await agreed.exit).toBe(0);
  expect(agreed.stdout()).toMatch(/4 keys replaced/);
  await bench.settled();
});

test.each([
  [['--from', '2026-02-30'], /--from must be a day/],
  [['--from', '2026-11-23', '--to', '2026-11-22'], /lies before --from/],
])('%j is refused, exit code 2', async (args, message) => {
  expect(await rebuild('--yes', ...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
});

test('a prefix that is not that of the worker is noticed before anything is written', async () => {
  await bench.redis.set('prod:weir:store', 'id');
  const { code, stderr } = await rebuild('--yes');
  expect(code).toBe(78);
  expect(stderr).toMatch(
    /nothing was ever counted without a prefix in this Redis, but under 'prod:': set REDIS_PREFIX/,
  );
  expect(await weirDone(['rebuild', '--yes'], { env: { ...bench.env, REDIS_PREFIX: 'prod:' } })).toMatchObject({
    code: 0,
  });
});

test('a Redis that does not answer is said so, exit code 69, without its password', async () => {
  const { code, stderr } = await weirDone(['rebuild', '--yes', '--redis', 'redis://:hunter2@127.0.0.1:1'], {
    env: bench.env,
  });
  expect(code).toBe(69);
  expect(stderr).toMatch(/^weir: Redis at 127\.0\.0\.1:1 does not answer \(.*ECONNREFUSED.*\n$/);
  expect(stderr).not.toContain('hunter2');
});
