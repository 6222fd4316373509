import { queueOf } from '@weir/bus';
import type { WeirEvent } from '@weir/events';
import { NOON, NOON_DAY, openBench, pulls, type Bench } from '../history/bench.test-support';
import { weirDone } from '../io.test-support';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
}, 90_000);
afterEach(() => bench.close());

const at = (minute: number) => new Date(NOON + minute * 60_000).toISOString();

async function replay(...args: string[]) {
  const { code, stdout, stderr } = await weirDone(['replay', ...args], { env: bench.env });
  return { code, stderr, answer: stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>) };
}

const waiting = async (worker: string) => (await bench.channel.checkQueue(queueOf(worker))).messageCount;

test('the events of the window, and no others, go to this worker alone, as they were', async () => {
  const events = pulls(3000);
  await bench.publish([...events, ...pulls(10, NOON - 3600_000), ...pulls(10, NOON + 3600_000)]);
  for (const worker of ['redis', 'influx', 'mongo']) await bench.channel.purgeQueue(queueOf(worker));
  const wanted = events.filter(({ time }) => time >= at(2) && time < at(5));

  expect(await replay('mongo', '--from', at(2), '--to', at(5), '--dry-run')).toMatchObject({ code: 0, stderr: '', answer: { events: wanted.length, sent: false } });
  expect(await waiting('mongo')).toBe(0);

  expect(await replay('mongo', '--from', at(2), '--to', at(5))).toMatchObject({ code: 0, answer: { read: 3020, events: wanted.length, sent: true } });
  expect([await waiting('redis'), await waiting('influx'), await waiting('mongo')]).toEqual([0, 0, wanted.length]);
  const got: WeirEvent[] = [];
  while (got.length < wanted.length) {
    const message = await bench.channel.get(queueOf('mongo'), { noAck: true });
    if (!message) break;
    got.push(JSON.parse(message.content.toString()) as WeirEvent);
    expect(message.properties).toMatchObject({ messageId: got.at(-1)?.id, type: got.at(-1)?.type, deliveryMode: 2 });
  }
  expect(got).toEqual(wanted);
}); // prettier-ignore

test('a worker that has had them all changes nothing', async () => {
  bench.startWorker();
  await bench.publish(pulls(500));
  await bench.settled();
  for (let round = 0; round < 2; round += 1) {
    expect(await replay('redis', '--from', NOON_DAY, '--to', at(60))).toMatchObject({
      code: 0,
      answer: { events: 500 },
    });
  }
  await bench.publish(pulls(1));
  await bench.settled();
});

test('a worker that lost events gets them', async () => {
  const worker = bench.startWorker();
  await bench.publish(pulls(100));
  await bench.settled();
  await worker.stop();
  await bench.publish(pulls(200));
  await bench.channel.purgeQueue(queueOf('redis'));
  bench.startWorker();
  await replay('redis', '--from', at(0), '--to', at(60));
  await bench.settled();
});

test('a window before what the redis-worker remembers is warned of', async () => {
  const { code, stderr } = await replay('redis', '--from', '2020-01-01', '--to', '2020-01-02');
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /more than 32 days ago \(DEDUPE_DAYS\): what the redis-worker has forgotten since, it would count again/,
  );
});

test.each([
  [['postgres', '--from', '2026-11-22', '--to', '2026-11-23'], 1, /there is no queue weir\.postgres/],
  [['redis', '--from', '2026-11-23', '--to', '2026-11-22'], 2, /must lie after/],
  [['redis', '--from', 'noon', '--to', '2026-11-22'], 2, /--from must be a day or a time/],
  [['redis', '--from', '2026-11-22'], 2, /required option '--to/],
])('%j is refused', async (args, code, message) => {
  expect(await replay(...args)).toMatchObject({ code, stderr: expect.stringMatching(message) as string });
});
