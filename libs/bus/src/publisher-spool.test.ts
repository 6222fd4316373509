import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { isolated, temporaryDirectory, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createPublisher, declareTopology, queueOf } from './index';
import type { Publisher, PublisherOptions, SpoolError } from './index';
import { openSpool } from './spool';

/** The broker and the spool side by side: who gets which share, and what an operator sees of it. */
const log = pino({ level: 'silent' });
const NO_BROKER = 'amqp://127.0.0.1:1';
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: Isolated;
let connection: ChannelModel;
let channel: Channel;
let publisher: Publisher | undefined;
let metrics: Registry;
let spoolDir: string;

const open = (options: Partial<PublisherOptions> = {}) => {
  metrics = new Registry();
  return (publisher = createPublisher({ url: broker.url, spoolDir, log, metrics, ...options }));
};
const pulls = (n: number, note = ''): WeirEvent[] =>
  Array.from({ length: n }, () => createEvent('io.weir.pull', { repository: 'a/b', note }, { source: 'spool-test' }));
const outcomes = async (from: Publisher, events: WeirEvent[]) =>
  (await from.publishAll(events)).map((result) =>
    result.status === 'fulfilled' ? result.value : (result.reason as SpoolError).reason,
  );
const metric = async (name: string): Promise<number> => {
  const line = (await metrics.metrics()).split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
};

async function fill(events: WeirEvent[]): Promise<void> {
  const spool = await openSpool({ dir: spoolDir, maxBytes: 1024 ** 3, log });
  await Promise.all(events.map((event) => spool.append(encodeEvent(event))));
  await spool.close();
}

async function take(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (;;) {
    const message = await channel.get(queueOf('redis'), { noAck: true });
    if (!message) return ids;
    ids.add((JSON.parse(message.content.toString()) as WeirEvent).id);
  }
}

beforeAll(async () => {
  broker = await isolated.amqp();
  connection = await connect(broker.url);
  channel = await connection.createChannel();
  await declareTopology(channel);
});
beforeEach(async () => {
  root = await temporaryDirectory();
  spoolDir = join(root.path, 'spool');
});
afterEach(async () => {
  await publisher?.close();
  await channel.purgeQueue(queueOf('redis'));
  await root.remove();
});
afterAll(async () => {
  await connection.close();
  await broker.remove();
});

test('live events go straight to the broker while the spool drains', async () => {
  await fill(pulls(1500));
  const busy = open({ window: 80 });
  await until(() => busy.ready() === true && busy.depth().spooledEvents > 0);
  let rounds = 0;
  while (busy.depth().spooledEvents > 0) {
    expect(new Set(await outcomes(busy, pulls(70)))).toEqual(new Set(['confirmed']));
    rounds += 1;
  }
  expect(rounds).toBeGreaterThan(5);
});

test('the spool drains though live events come faster than the window takes them', async () => {
  const spooled = pulls(300);
  await fill(spooled);
  const busy = open({ window: 80 });
  await until(() => busy.ready() === true);
  const found = new Set<string>();
  await until(async () => {
    await busy.publishAll(pulls(240));
    for (const id of await take()) found.add(id);
    return spooled.every(({ id }) => found.has(id));
  });
});

test('large events fill the window by their bytes; what does not fit goes to the spool, and none is lost', async () => {
  const busy = open({ windowBytes: 400_000 });
  await until(() => busy.ready() === true);
  const events = pulls(40, 'x'.repeat(50_000));
  const publishing = outcomes(busy, events);
  expect(busy.depth().inFlight).toBe(6); // 350,000 bytes are for live events
  const all = await publishing;
  expect(all.filter((outcome) => outcome === 'confirmed').length).toBeGreaterThanOrEqual(6);
  expect(all).toContain('spooled');
  await until(() => busy.depth().spooledEvents === 0);
  const found = await take();
  expect(events.filter(({ id }) => !found.has(id))).toEqual([]);
});

test('when neither takes an event it is refused with the reason, counted, and to be seen before that', async () => {
  const cut = open({ url: NO_BROKER, spoolBytes: 300_000 });
  await until(() => cut.owning() === true);
  expect(cut.accepting()).toBe(true);
  const all = await outcomes(cut, pulls(10, 'x'.repeat(50_000)));
  expect(all.filter((outcome) => outcome === 'spooled')).toHaveLength(5);
  expect(all.filter((outcome) => outcome === 'The spool is full')).toHaveLength(5);
  expect(cut.accepting()).toBe('The spool is full');
  expect(await metric('weir_publisher_events_total{outcome="refused"}')).toBe(5);
  expect(await metric('weir_publisher_events_total{outcome="confirmed"}')).toBe(0);
  expect(await metric('weir_spool_events')).toBe(5);
  expect(await metric('weir_spool_quota_bytes')).toBe(300_000);
  expect(await metric('weir_spool_bytes')).toBeGreaterThan(250_000);
  expect(await metric('weir_spool_oldest_seconds')).toBeGreaterThan(0);
  expect(await metric('weir_spool_damaged_total')).toBe(0);
});

test('a spool that cannot be opened is told without its path to outsiders, and is opened as soon as it can be', async () => {
  await writeFile(spoolDir, '');
  const without = open({ url: NO_BROKER });
  await until(() => String(without.owning()).includes(spoolDir));
  expect(await metric('weir_spool_events')).toBe(NaN); // not there: unknown is not 0
  expect(String(without.accepting())).not.toContain(root.path);
  const [first] = await outcomes(without, pulls(1));
  expect(first).toBe('The spool cannot be written');
  await rm(spoolDir);
  await until(() => without.accepting() === true);
  expect(await metric('weir_spool_events')).toBe(0);
  expect(await outcomes(without, pulls(1))).toEqual(['spooled']);
});
