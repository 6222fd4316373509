import { connect } from 'amqplib';
import { createPublisher, deadQueueOf, declareTopology, EXCHANGE, queueOf, WORKERS, type Publisher } from '@weir/bus';
import { createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { createHealth, type Config, type Variables } from '@weir/service';
import type { workerVariables } from '@weir/worker';
import { startWorker, type Worker, type WorkerDefinition } from '@weir/worker';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { PrivateServer } from './servers/server';
import { temporaryDirectory } from './servers/temporary';
import { isolated } from './test-servers';
import { until } from './until';

/** The store that a worker is tested with: a real server of the test's own, since the suite stops and starts it. */
export interface StoreUnderTest<V extends Variables> {
  server: Pick<PrivateServer, 'stop' | 'start'>;
  /** The worker's variables, pointing at the store. */
  config: Config<V>;
  /** How many events have had their effect in the store; each counts as often as it had it. */
  count(): Promise<number>;
  /** An event that is valid but that this store can never take, where there is such a one. */
  unacceptable?: WeirEvent;
  close(): Promise<void>;
}

const day = new Date('2026-11-23T06:54:00Z');

/** A pull of `organization-<n>`, different from every other event. */
export function samplePull(n = 0): WeirEvent {
  const data = {
    repository: 'library/alpine',
    tag: '3.20',
    digest: `sha256:${'0'.repeat(64)}`,
    platform: 'linux/amd64',
    user: { organization: `organization-${n % 10}.example` },
    client: { name: 'docker', version: '27.1.1' },
    bytes: 3_623_807,
  };
  return createEvent('io.weir.pull', data, { source: 'conformance', time: new Date(day.getTime() + n) });
}

/**
 * What every worker must pass, whatever its store (DESIGN, sections 4 and 5): an event has its effect once through
 * redelivery and unanswered writes, a bad one is parked without taking others with it, a store may go and come back,
 * and stopping loses nothing.
 */
export function describeWorker<V extends Variables, Item>(
  definition: WorkerDefinition<V, Item>,
  openStore: () => Promise<StoreUnderTest<V>>,
): void {
  describe(`the ${definition.name} worker`, () => {
    let bench: Bench<V, Item>;
    beforeAll(async () => {
      bench = await openBench(definition, await openStore());
    }, 120_000);
    afterEach(() => bench?.tidy());
    afterAll(() => bench?.close(), 60_000);

    test('gives an event its effect once, however often it is delivered', async () => {
      const before = await bench.store.count();
      const running = bench.start();
      const event = samplePull();
      const others = Array.from({ length: 50 }, (_, n) => samplePull(n + 1));
      await bench.publish([event, ...others, event, event]);
      await running.untilDone(53);
      await bench.publish([event, others[0] as WeirEvent]);
      await running.untilDone(55);
      await running.stop();
      expect(await bench.store.count()).toBe(before + 51);
    });

    test('parks what is no event with the reason, and takes the rest of the batch', async () => {
      const before = await bench.store.count();
      const nonsense = [Buffer.from('{"not":'), Buffer.from(JSON.stringify({ ...samplePull(), time: 'yesterday' }))];
      const good = Array.from({ length: 20 }, (_, n) => encodeEvent(samplePull(n)));
      await bench.publishRaw([...good.slice(0, 10), ...nonsense, ...good.slice(10)]);
      const running = bench.start();
      await running.untilDone(22);
      await running.stop();
      expect(await bench.store.count()).toBe(before + 20);
      const letters = await bench.takeDeadLetters();
      expect(letters.map(({ body }) => body)).toEqual(nonsense);
      expect(letters.map(({ headers }) => headers)).toEqual([
        expect.objectContaining({ 'weir-worker': definition.name, 'weir-reason': 'invalid event', 'weir-error': expect.stringContaining('JSON') as string }),
        expect.objectContaining({ 'weir-worker': definition.name, 'weir-reason': 'invalid event', 'weir-error': expect.stringContaining('time') as string }),
      ]); // prettier-ignore
    });

    test('parks what its store can never take, and the store has the rest once', async () => {
      const { unacceptable } = bench.store;
      const before = await bench.store.count();
      const good = Array.from({ length: 10 }, (_, n) => samplePull(n));
      await bench.publish([...good.slice(0, 5), ...(unacceptable ? [unacceptable] : []), ...good.slice(5)]);
      const running = bench.start();
      await running.untilDone(10 + (unacceptable ? 1 : 0));
      await running.stop();
      expect(await bench.store.count()).toBe(before + 10);
      const letters = await bench.takeDeadLetters();
      expect(letters.map(({ headers }) => headers['weir-reason'])).toEqual(
        unacceptable ? ['refused by the store'] : [],
      );
    });

    test('writes a batch again whose answer never came, with the effect of one', async () => {
      const before = await bench.store.count();
      let lies = 2;
      const running = bench.start((worker) => ({
        ...worker,
        async write(batch) {
          const refused = await worker.write(batch);
          if (lies-- > 0) throw new Error('the answer was lost');
          return refused;
        },
      }));
      await bench.publish(Array.from({ length: 30 }, (_, n) => samplePull(n)));
      await running.untilDone(30);
      await running.stop();
      expect(lies).toBeLessThan(0);
      expect(await bench.store.count()).toBe(before + 30);
    });

    test('waits for a store that is down, is not ready meanwhile, and catches up exactly', async () => {
      const before = await bench.store.count();
      const running = bench.start();
      await until(async () => (await running.readiness()).ready);
      await bench.store.server.stop();
      await bench.publish(Array.from({ length: 200 }, (_, n) => samplePull(n)));
      await until(async () => (await running.readiness()).checks['store'] !== true);
      await bench.store.server.start();
      await running.untilDone(200);
      await until(async () => (await running.readiness()).ready);
      await running.stop();
      expect(await bench.store.count()).toBe(before + 200);
    });

    test('sends itself canaries that come back through its queue and store, and leave nothing there', async () => {
      const before = await bench.store.count();
      const running = bench.start();
      await running.untilCanary();
      await running.untilCanary();
      await bench.publish([samplePull()]);
      await running.untilDone(1);
      await running.stop();
      expect(await running.done()).toBe(1);
      expect(await bench.store.count()).toBe(before + 1);
    });

    test('makes its queue again when it is deleted, and says so', async () => {
      const running = bench.start();
      await running.untilCanary();
      await bench.channel.deleteQueue(queueOf(definition.name));
      await until(async () => (await running.repairs()) > 0);
      await running.untilCanary();
      const before = await bench.store.count();
      await bench.publish([samplePull()]);
      await running.untilDone(1);
      await until(async () => (await running.readiness()).ready);
      await running.stop();
      expect(await bench.store.count()).toBe(before + 1);
    });

    test('finds that its queue is not bound any more, says so, and binds it', async () => {
      const running = bench.start();
      await running.untilCanary();
      await bench.channel.unbindQueue(queueOf(definition.name), EXCHANGE, '');
      await until(async () => (await running.readiness()).checks['topology'] !== true);
      expect(await running.repairs()).toBe(1);
      const before = await bench.store.count();
      await bench.publish([samplePull()]);
      await running.untilDone(1);
      await running.stop();
      expect(await bench.store.count()).toBe(before + 1);
    });

    test('consumes again when the broker has cancelled its consumer, or forgotten it', async () => {
      const running = bench.start();
      await running.untilCanary();
      const before = await bench.store.count();
      // Without a pause between the two the broker may tell nobody that the queue is another one.
      await bench.channel.deleteQueue(queueOf(definition.name));
      await bench.declare();
      await bench.publish(Array.from({ length: 10 }, (_, n) => samplePull(n)));
      await running.untilDone(10);
      await running.stop();
      expect(await bench.store.count()).toBe(before + 10);
    });

    test('loses and repeats nothing when it is stopped in the middle of its work', async () => {
      const before = await bench.store.count();
      await bench.publish(Array.from({ length: 5000 }, (_, n) => samplePull(n)));
      const first = bench.start();
      await until(async () => (await bench.store.count()) > before);
      await first.stop();
      const second = bench.start();
      await second.untilDone(5000 - (await first.done()));
      await second.stop();
      expect(await bench.store.count()).toBe(before + 5000);
    });
  });
}

type Wrap<Item> = (worker: Worker<Item>) => Worker<Item>;

interface Running {
  readiness(): Promise<{ ready: boolean; checks: Record<string, true | string> }>;
  /** How many messages it has written or parked since it started. */
  done(): Promise<number>;
  /** Waits until it has written or parked so many messages. */
  untilDone(messages: number): Promise<void>;
  /** Waits for one more canary to come back. */
  untilCanary(): Promise<void>;
  /** How often it has declared again what was missing. */
  repairs(): Promise<number>;
  stop(): Promise<void>;
}

type Bench<V extends Variables, Item> = Awaited<ReturnType<typeof openBench<V, Item>>>;

async function openBench<V extends Variables, Item>(definition: WorkerDefinition<V, Item>, store: StoreUnderTest<V>) {
  const directory = await temporaryDirectory();
  const broker = await isolated.amqp();
  const log = pino({ level: 'silent' });
  const publisher: Publisher = createPublisher({
    url: broker.url,
    spoolDir: `${directory.path}/spool`,
    log,
    metrics: new Registry(),
  });
  const connection = await connect(broker.url);
  const channel = await connection.createConfirmChannel();
  await declareTopology(channel, [...new Set([...WORKERS, definition.name])]);
  await until(() => publisher.ready() === true);
  const left = new Set<Running>();

  return {
    store,
    /** Administers the broker, as somebody might who makes a mistake. */
    channel,
    declare: () => declareTopology(channel, [...new Set([...WORKERS, definition.name])]),
    async publish(events: readonly WeirEvent[]): Promise<void> {
      const outcomes = await publisher.publishAll(events);
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['fulfilled']));
    },
    async publishRaw(bodies: readonly Buffer[]): Promise<void> {
      for (const body of bodies) channel.publish(EXCHANGE, '', body, { persistent: true });
      await channel.waitForConfirms();
    },
    start(wrap: Wrap<Item> = (worker) => worker): Running {
      const metrics = new Registry();
      const health = createHealth();
      const aborter = new AbortController();
      const releases: (() => unknown)[] = [];
      const wrapped = { ...definition, create: (...given: Parameters<typeof definition.create>) => wrap(definition.create(...given)) }; // prettier-ignore
      const config = { ...store.config, AMQP_URL: broker.url } as Config<V> & Config<typeof workerVariables>;
      const onStop = (_: string, release: () => unknown) => void releases.unshift(release);
      startWorker(wrapped, config, { log, metrics, health, signal: aborter.signal, onStop }, { watchIntervalMs: 500 });
      const done = async (): Promise<number> => {
        const metric = await metrics.getSingleMetric('weir_worker_events_total')?.get();
        return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
      };
      const gauge = async (name: string): Promise<number> =>
        (await metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
      const running: Running = {
        readiness: health.readiness,
        done,
        untilDone: (messages) => until(async () => (await done()) >= messages),
        async untilCanary() {
          const last = await gauge('weir_worker_canary_timestamp_seconds');
          await until(async () => (await gauge('weir_worker_canary_timestamp_seconds')) > last);
        },
        repairs: () => gauge('weir_topology_repairs_total'),
        async stop() {
          left.delete(running);
          aborter.abort();
          for (const release of releases) await release();
        },
      };
      left.add(running);
      return running;
    },
    /** Stops what a failed test has left running. */
    async tidy(): Promise<void> {
      for (const running of left) await running.stop();
    },
    async takeDeadLetters() {
      const letters = [];
      for (;;) {
        const letter = await channel.get(deadQueueOf(definition.name), { noAck: true });
        if (!letter) return letters;
        letters.push({ body: letter.content, headers: letter.properties.headers ?? {} });
      }
    },
    async close(): Promise<void> {
      await publisher.close();
      await channel.close();
      await connection.close();
      await broker.remove();
      await store.close();
      await directory.remove();
    },
  };
}
