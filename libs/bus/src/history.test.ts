import { CANARY, createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { isolated, samplePull, until, type Isolated } from '@weir/testing';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { openHistory, type History } from './history';
import { declareTopology, EXCHANGE, HISTORY, queueOf } from './topology';

let place: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;
let history: History;

beforeEach(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createConfirmChannel();
  await declareTopology(channel);
  history = openHistory(connection);
}, 60_000);
afterEach(async () => {
  await connection.close().catch(() => {});
  await place.remove();
});

async function publish(events: readonly (WeirEvent | Buffer)[]): Promise<void> {
  for (const event of events) {
    const body = Buffer.isBuffer(event) ? event : encodeEvent(event);
    channel.publish(EXCHANGE, '', body, { persistent: true });
  }
  await channel.waitForConfirms();
}

const pulls = (from: number, count: number) => Array.from({ length: count }, (_, n) => samplePull(from + n));

test('everything that arrived before a marker comes, in order and once, and the rest up to the next one', async () => {
  const [first, second] = [pulls(0, 5000), pulls(5000, 300)];
  await publish(first);
  const reader = await history.read('first');
  const read: string[] = [];
  const take = async ({ events }: { events: readonly { event: WeirEvent }[] }) => {
    read.push(...events.map(({ event }) => event.id));
  };
  await reader.until(await history.mark(), take);
  expect(read).toEqual(first.map(({ id }) => id));
  await publish(second);
  const marker = await history.mark();
  await publish(pulls(6000, 10));
  await reader.until(marker, take);
  expect(read).toEqual([...first, ...second].map(({ id }) => id));
  await reader.close();
});

test('canaries are left out and what is no event is counted; bodies are as they were', async () => {
  const canary = createEvent(CANARY, { worker: 'redis' }, { source: 'weir/redis-worker' });
  const [one, two] = pulls(0, 2) as [WeirEvent, WeirEvent];
  await publish([one, canary, Buffer.from('{"not":'), two]);
  const reader = await history.read('first');
  const bodies: Buffer[] = [];
  let invalid = 0;
  await reader.until(await history.mark(), async (batch) => {
    bodies.push(...batch.events.map(({ message }) => message.content));
    invalid += batch.invalid;
  });
  await reader.close();
  expect(bodies).toEqual([encodeEvent(one), encodeEvent(two)]);
  expect(invalid).toBe(1);
});

test('a marker goes past every worker', async () => {
  await history.mark();
  for (const worker of ['redis', 'influx', 'mongo']) {
    expect((await channel.checkQueue(queueOf(worker))).messageCount).toBe(0);
  }
});

test('a slow reader has a bounded number of messages in hand', async () => {
  await publish(pulls(0, 12_000));
  const reader = await history.read('first');
  const marker = await history.mark();
  let [events, batches] = [0, 0];
  await reader.until(marker, async (batch) => {
    batches += 1;
    events += batch.events.length;
    expect(batch.events.length).toBeLessThanOrEqual(2000);
  });
  expect(events).toBe(12_000);
  expect(batches).toBeGreaterThanOrEqual(6);
  expect(reader.position()).toBeGreaterThanOrEqual(12_000);
  await reader.close();
});

test('an untouched history begins at offset 0 and reaches back to nothing before itself', async () => {
  expect(await history.firstOffset()).toBe(0);
  await publish(pulls(0, 3));
  expect(await history.firstOffset()).toBe(0);
  expect(await history.reachesBackTo(new Date(Date.now() - 3600_000))).toBe(false);
});

test('a history reaches back to a time when something older is still in it; reading can start there', async () => {
  await publish(pulls(0, 10));
  // The stream knows times in seconds: the next chunk must be of another one.
  const second = Math.floor(Date.now() / 1000) + 2;
  await until(() => Date.now() / 1000 > second);
  const later = pulls(10, 10);
  await publish(later);
  expect(await history.reachesBackTo(new Date(second * 1000))).toBe(true);
  const reader = await history.read(new Date(second * 1000));
  const read: string[] = [];
  await reader.until(
    await history.mark(),
    async ({ events }) => void read.push(...events.map(({ event }) => event.id)),
  );
  await reader.close();
  expect(read).toEqual(later.map(({ id }) => id));
});

test('a history whose old end is gone begins later', async () => {
  await channel.deleteQueue(HISTORY);
  const bytes = { 'x-max-length-bytes': 200_000, 'x-stream-max-segment-size-bytes': 100_000 };
  await channel.assertQueue(HISTORY, { durable: true, arguments: { 'x-queue-type': 'stream', ...bytes } });
  await channel.bindQueue(HISTORY, EXCHANGE, '');
  for (let n = 0; n < 8; n += 1) await publish(pulls(n * 1000, 1000));
  await until(async () => (await history.firstOffset()) > 0);
});

test('a broker without a history is said so, and a lost connection ends the reading', async () => {
  const reader = await history.read('first');
  const reading = reader.until('never', async () => {});
  await channel.deleteQueue(HISTORY);
  await expect(reading).rejects.toThrow(/was the queue deleted/);
  await expect(history.mark()).rejects.toThrow(/there is no queue weir\.history: see `weir topology`/);
});
