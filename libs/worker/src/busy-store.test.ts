import { connect, type Channel, type ChannelModel } from 'amqplib';
import { deadQueueOf, declareTopology, EXCHANGE, queueOf, WORKERS } from '@weir/bus';
import { createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { createHealth } from '@weir/service';
import { isolated, samplePull, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startWorker, type Worker } from './index';

/** What only a busy store needs: docs/adding-a-worker.md. */
const queue = queueOf('busy');
let place: Isolated;
let connection: ChannelModel;
let channel: Channel;
let stop: () => Promise<void>;

beforeAll(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createChannel();
  await declareTopology(channel, [...WORKERS, 'busy']);
}, 60_000);
beforeEach(() => channel.purgeQueue(queue));
afterAll(async () => {
  await connection.close();
  await place.remove();
});

function start<Item = WeirEvent>(store: Pick<Worker<Item>, 'write'> & Partial<Worker<Item>>): void {
  const aborter = new AbortController();
  const releases: (() => unknown)[] = [];
  const worker: Worker<Item> = { connect: async () => {}, close: async () => {}, ...store };
  const definition = { name: 'busy', variables: {}, create: () => worker };
  startWorker(definition, { AMQP_URL: place.url }, {
    log: pino({ level: 'silent' }), metrics: new Registry(), health: createHealth(), signal: aborter.signal,
    onStop: (_, release) => void releases.push(release),
  }); // prettier-ignore
  stop = async () => {
    aborter.abort();
    for (const release of releases) await release();
  };
}

const publish = (n: number) => channel.publish(EXCHANGE, '', encodeEvent(samplePull(n)), { persistent: true });
const depthOf = async (name: string) => (await channel.checkQueue(name)).messageCount;
const left = () => depthOf(queue);

/** A promise that somebody else settles. */
function held(): { done: Promise<void>; release(): void } {
  let release = (): void => {};
  const done = new Promise<void>((resolve) => (release = resolve));
  return { done, release };
}

test('the next batches are written while one is not durable yet, and none is acknowledged before it', async () => {
  const written: string[] = [];
  const disk: (() => void)[] = [];
  start({
    async write(batch) {
      written.push(...batch.map(({ id }) => id));
    },
    durable: () => new Promise((resolve) => disk.push(resolve)),
  });
  for (let n = 1; n <= 4; n += 1) {
    publish(n);
    await until(() => written.length === n);
  }
  for (const done of disk.slice(1)) done();
  await stop();
  await until(async () => (await left()) === 4);
}, 60_000);

test('a batch that the store has lost again is written once more, then acknowledged', async () => {
  const written: string[][] = [];
  start({
    async write(batch) {
      written.push(batch.map(({ id }) => id));
    },
    durable: () => (written.length === 1 ? Promise.reject(new Error('the store was lost')) : Promise.resolve()),
  });
  publish(1);
  await until(() => written.length === 2);
  await stop();
  expect(written[1]).toEqual(written[0]);
  expect(await left()).toBe(0);
}, 60_000);

test('a worker writes what it has prepared, and an event that it cannot prepare is parked with the reason', async () => {
  const written: string[] = [];
  const bad = samplePull(2);
  start<string>({
    prepare(event) {
      if (event.id === bad.id) throw new Error('has no colour');
      return `prepared ${event.id}`;
    },
    write: async (batch) => void written.push(...batch),
  });
  const good = [samplePull(1), samplePull(3)];
  for (const event of [good[0], bad, good[1]])
    channel.publish(EXCHANGE, '', encodeEvent(event as WeirEvent), { persistent: true });
  await until(() => written.length === 2);
  await until(async () => (await depthOf(deadQueueOf('busy'))) === 1);
  await stop();
  expect(written).toEqual(good.map(({ id }) => `prepared ${id}`));
  const letter = await channel.get(deadQueueOf('busy'), { noAck: true });
  expect(letter && letter.properties.headers).toMatchObject({ 'weir-error': 'has no colour' });
  expect(await left()).toBe(0);
}, 60_000);

test('a worker is told that it takes over: at its start, and behind all writing when its channel was lost', async () => {
  const happened: string[] = [];
  start({
    takesOver: () => void happened.push('takes over'),
    write: async (batch) => void happened.push(...batch.map(({ data }) => String(data['tag']))),
  });
  const send = async (tag: string) => {
    const event = createEvent('io.weir.pull', { repository: 'a/b', tag }, { source: 'test' });
    channel.publish(EXCHANGE, '', encodeEvent(event), { persistent: true });
    await until(() => happened.includes(tag));
  };
  await send('1');
  await send('2');
  await channel.deleteQueue(queue);
  await declareTopology(channel, [...WORKERS, 'busy']);
  await send('3');
  await stop();
  expect(happened).toEqual(['takes over', '1', '2', 'takes over', '3']);
}, 60_000);

test('a worker hears of an event that it may have been written before: delivered again, or sent by hand', async () => {
  const told: [string, boolean][] = [];
  const never = held();
  const store = (write: Worker<string>['write']) => ({
    prepare(event: WeirEvent, { again }: { again: boolean }) {
      told.push([event.id, again]);
      return event.id;
    },
    write,
  });
  start<string>(store(() => never.done));
  const [fresh, sent] = [samplePull(1), samplePull(2)];
  channel.publish(EXCHANGE, '', encodeEvent(fresh), { persistent: true });
  channel.publish('', queue, encodeEvent(sent), { persistent: true });
  await until(() => told.length === 2);
  await stop();
  start<string>(store(async () => {}));
  await until(() => told.length === 4);
  await until(async () => (await left()) === 0);
  await stop();
  expect(told).toEqual([[fresh.id, false], [sent.id, true], [fresh.id, true], [sent.id, true]]); // prettier-ignore
}, 60_000);

test('a worker hears of the next batch while it has the one before, and gets that very batch', async () => {
  const [told, written]: [unknown[], unknown[]] = [[], []];
  const first = held();
  start({
    ahead: (batch) => void told.push(batch),
    write(batch) {
      written.push(batch);
      return written.length === 1 ? first.done : Promise.resolve();
    },
  });
  publish(1);
  await until(() => written.length === 1);
  publish(2);
  await until(() => told.length === 2);
  expect(written).toHaveLength(1);
  first.release();
  await until(() => written.length === 2);
  await stop();
  expect(written[0]).toBe(told[0]);
  expect(written[1]).toBe(told[1]);
  expect(await left()).toBe(0);
}, 60_000);

test('two batches are written at one time where any order will do, and acknowledged in their own', async () => {
  const written: string[] = [];
  const first = held();
  start({
    anyOrder: true,
    write(batch) {
      written.push(...batch.map(({ id }) => id));
      return written.length === 1 ? first.done : Promise.resolve();
    },
  });
  publish(1);
  await until(() => written.length === 1);
  publish(2);
  await until(() => written.length === 2);
  await stop(); // the first one never gets done
  expect(await left()).toBe(2);
}, 60_000);
