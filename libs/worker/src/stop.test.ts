import { connect, type Channel, type ChannelModel } from 'amqplib';
import { declareTopology, EXCHANGE, queueOf, WORKERS } from '@weir/bus';
import { encodeEvent } from '@weir/events';
import { createHealth } from '@weir/service';
import { isolated, samplePull, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startWorker, type Worker } from './index';

const queue = queueOf('stopping');
let place: Isolated;
let connection: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  place = await isolated.amqp();
  connection = await connect(place.url);
  channel = await connection.createChannel();
  await declareTopology(channel, [...WORKERS, 'stopping']);
}, 60_000);
afterAll(async () => {
  await connection.close();
  await place.remove();
});

/** Starts a worker on this store; `stop` is what SIGTERM does. */
function start(store: Partial<Worker>): { stop(): Promise<void> } {
  const aborter = new AbortController();
  const releases: (() => unknown)[] = [];
  const worker = { connect: async () => {}, write: async () => {}, close: async () => {}, ...store };
  const definition = { name: 'stopping', variables: {}, create: () => worker };
  startWorker(definition, { AMQP_URL: place.url }, {
    log: pino({ level: 'silent' }), metrics: new Registry(), health: createHealth(), signal: aborter.signal,
    onStop: (_, release) => void releases.push(release),
  }); // prettier-ignore
  return {
    async stop() {
      aborter.abort();
      for (const release of releases) await release();
    },
  };
}

const given = async (): Promise<void> => {
  await channel.purgeQueue(queue);
  for (let n = 0; n < 5; n += 1) channel.publish(EXCHANGE, '', encodeEvent(samplePull(n)), { persistent: true });
};
const givenBack = () => until(async () => (await channel.checkQueue(queue)).messageCount === 5);

// The time limits are part of what these tests say: a grace period is 20 s.

test('a worker that waits for its store to come back stops without waiting on', async () => {
  await given();
  let writes = 0;
  const worker = start({
    async write() {
      writes += 1;
      throw new Error('the store is down');
    },
  });
  await until(() => writes === 7, 60_000); // the pauses are seconds long by now
  const before = writes;
  await worker.stop();
  expect(writes).toBe(before);
  await givenBack();
}, 90_000);

test('a worker whose store neither answers nor fails stops, and the queue has its events', async () => {
  await given();
  let writing = false;
  let closed = false;
  const worker = start({
    write: () => ((writing = true), new Promise(() => {})),
    close: () => ((closed = true), new Promise(() => {})),
  });
  await until(() => writing);
  await worker.stop();
  expect(closed).toBe(true);
  await givenBack();
}, 20_000);

test('a worker that has not reached its store yet stops', async () => {
  let tries = 0;
  const worker = start({
    async connect() {
      tries += 1;
      throw new Error('no store');
    },
  });
  await until(() => tries > 2);
  await worker.stop();
}, 20_000);
