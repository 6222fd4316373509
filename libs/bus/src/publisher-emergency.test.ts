import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { checkEvent, createEvent, type WeirEvent } from '@weir/events';
import { isolated, temporaryDirectory, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createPublisher, declareTopology, queueOf } from './index';
import type { Publisher, PublisherOptions } from './index';

/** What a publisher says of itself when its events had to wait for the broker. */
const log = pino({ level: 'silent' });
const NO_BROKER = 'amqp://127.0.0.1:1';
const SOURCE = 'weir/ingest';
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: Isolated;
let connection: ChannelModel;
let channel: Channel;
let publisher: Publisher | undefined;
let spoolDir: string;

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

const open = (options: Partial<PublisherOptions>) =>
  (publisher = createPublisher({ url: broker.url, spoolDir, log, metrics: new Registry(), ...options }));

/** Spools so many pulls of another year, as of a broker that is away. */
async function spool(count: number, options: Partial<PublisherOptions> = { source: SOURCE }): Promise<WeirEvent[]> {
  const cutOff = open({ ...options, url: NO_BROKER });
  const pulls = Array.from({ length: count }, () =>
    createEvent('io.weir.pull', { repository: 'a' }, { source: 'test', time: new Date('2020-01-01T00:00:00Z') }),
  );
  for (const outcome of await cutOff.publishAll(pulls)) expect(outcome).toMatchObject({ value: 'spooled' });
  await cutOff.close();
  return pulls;
}

/** Drains the spool, and what is in the queue of a worker then. */
async function drained(options: Partial<PublisherOptions> = { source: SOURCE }): Promise<WeirEvent[]> {
  const draining = open(options);
  await until(() => draining.ready() === true && draining.owning() === true && draining.depth().spooledEvents === 0);
  await until(async () => !(await readdir(spoolDir)).includes('episodes'));
  await draining.close();
  const events: WeirEvent[] = [];
  for (;;) {
    const message = await channel.get(queueOf('redis'), { noAck: true });
    if (!message) return events;
    events.push(JSON.parse(message.content.toString()) as WeirEvent);
  }
}

test('after the drain it tells how long it was cut off, by its own clock and not by that of the events, once', async () => {
  const before = Date.now();
  const pulls = await spool(3);
  const events = await drained({ source: SOURCE, emergencyMs: 0 });
  const [up, down, ...none] = events.slice(3);
  expect(events.slice(0, 3).map(({ id }) => id)).toEqual(pulls.map(({ id }) => id));
  expect(none).toEqual([]);
  const outage = String(up?.data['outage']);
  const said = { source: SOURCE, type: 'io.weir.outage' };
  const data = { service: SOURCE, outage, reason: 'spooled', events: 3 };
  expect(up).toMatchObject({ ...said, id: `${outage}-up`, data: { ...data, state: 'up' } });
  expect(down).toMatchObject({ ...said, id: `${outage}-down`, data: { ...data, state: 'down' } });
  for (const event of [up, down]) expect(checkEvent(event)).toMatchObject({ ok: true });
  const times = [before, down?.time, up?.time, Date.now()].map((time) => new Date(time ?? 0).getTime());
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(await drained({ source: SOURCE, emergencyMs: 0 })).toEqual([]);
});

test('one that was over within a minute is told of by nobody, nor any of a publisher without a name', async () => {
  const ids = (await spool(3)).map(({ id }) => id);
  expect((await drained()).map(({ id }) => id)).toEqual(ids);
  const others = (await spool(3, {})).map(({ id }) => id);
  expect((await drained({ emergencyMs: 0 })).map(({ id }) => id)).toEqual(others);
});
