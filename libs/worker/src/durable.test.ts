import { connect, type Channel, type ChannelModel } from 'amqplib';
import { declareTopology, EXCHANGE, queueOf, WORKERS } from '@weir/bus';
import { encodeEvent } from '@weir/events';
import { createHealth } from '@weir/service';
import { isolated, samplePull, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startWorker, type Worker } from './index';

/** A worker whose store answers before it has a batch durably. */
const queue = queueOf('slow-disk');
let place: Isolated;
let connection: ChannelModel;
let channel: Channel;
let stop: () => Promise<void>;

beforeAll(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createChannel();
  await declareTopology(channel, [...WORKERS, 'slow-disk']);
}, 60_000);
beforeEach(() => channel.purgeQueue(queue));
afterAll(async () => {
  await connection.close();
  await place.remove();
});

function start(store: Pick<Worker, 'write' | 'durable'>): void {
  const aborter = new AbortController();
  const releases: (() => unknown)[] = [];
  const worker = { connect: async () => {}, close: async () => {}, ...store };
  const definition = { name: 'slow-disk', variables: {}, create: () => worker };
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
const left = async () => (await channel.checkQueue(queue)).messageCount;

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
