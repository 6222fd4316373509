/**
 * A worker's watch, against a broker whose queues, bindings and alarms are the test's to break. The store is a list in
 * this process.
 */
import { connect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { deadQueueOf, declareTopology, EXCHANGE, HISTORY, queueOf, WORKERS } from '@weir/bus';
import { CANARY, createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { createHealth, type Readiness } from '@weir/service';
import { samplePull, startRabbitmq, temporaryDirectory, until, type PrivateRabbitmq } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startWorker, type Worker } from './index';
import { WATCH_INTERVAL_MS } from './watch';

const INTERVAL_MS = 600;
const name = 'watched';
const queue = queueOf(name);
let directory: { path: string; remove(): Promise<void> };
let broker: PrivateRabbitmq;
let url: string;
let connection: ChannelModel;
let channel: ConfirmChannel;
let vhosts = 0;
const running: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  directory = await temporaryDirectory();
  broker = await startRabbitmq({ dir: directory.path });
}, 60_000);
beforeEach(async () => {
  url = await broker.addVhost(`watch-${(vhosts += 1)}`);
  connection = await connect(url);
  connection.on('error', () => {});
  channel = await connection.createConfirmChannel();
  await declareTopology(channel, [...WORKERS, name]);
}, 30_000);
afterEach(async () => {
  for (const worker of running.splice(0)) await worker.stop();
  await connection.close();
}, 30_000);
afterAll(async () => {
  await broker.stop();
  await directory.remove();
}, 60_000);

interface Running {
  written: WeirEvent[];
  probes(): number;
  readiness(): Promise<Readiness>;
  metric(series: string): Promise<number | undefined>;
  logged(text: string): Record<string, unknown> | undefined;
  stop(): Promise<void>;
}

function start(store: Partial<Worker> = {}, watchIntervalMs = INTERVAL_MS): Running {
  const written: WeirEvent[] = [];
  let probes = 0;
  const worker: Worker = {
    connect: async () => {},
    write: async (batch) => void written.push(...batch),
    probe: async () => void (probes += 1),
    close: async () => {},
    ...store,
  };
  const aborter = new AbortController();
  const releases: (() => unknown)[] = [];
  const metrics = new Registry();
  const health = createHealth();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }); // prettier-ignore
  startWorker(
    { name, variables: {}, create: () => worker, batch: { maxEvents: 100, maxAgeMs: 5 } },
    { AMQP_URL: url },
    { log, metrics, health, signal: aborter.signal, onStop: (_, release) => void releases.unshift(release) },
    { watchIntervalMs },
  );
  const started: Running = {
    written,
    probes: () => probes,
    readiness: health.readiness,
    async metric(series) {
      const line = (await metrics.metrics()).split('\n').find((each) => each.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.split(' ').at(-1));
    },
    logged: (text) => lines.find(({ msg }) => String(msg).includes(text)),
    async stop() {
      aborter.abort();
      for (const release of releases) await release();
    },
  };
  running.push(started);
  return started;
}

const canariesOf = async (worker: Running) => (await worker.metric('weir_worker_canary_timestamp_seconds')) ?? 0;
const flowing = (worker: Running) => until(async () => (await canariesOf(worker)) > 0);
const ready = (worker: Running) => until(async () => (await worker.readiness()).ready);
const publish = async (...events: WeirEvent[]): Promise<void> => {
  for (const event of events) channel.publish(EXCHANGE, '', encodeEvent(event), { persistent: true });
  await channel.waitForConfirms();
};
/** On a channel of its own: a queue that is not there closes it. */
const depthOf = async (of: string): Promise<number> => {
  const own: Channel = await connection.createChannel();
  own.on('error', () => {});
  const { messageCount } = await own.checkQueue(of);
  await own.close();
  return messageCount;
};

/** Takes what is left in the queue of the worker, but for canaries. */
const leftovers = async (): Promise<Buffer[]> => {
  const left: Buffer[] = [];
  for (let found = await channel.get(queue, { noAck: true }); found; found = await channel.get(queue, { noAck: true }))
    if (found.properties.type !== CANARY) left.push(found.content);
  return left;
};

test('a queue that the broker cannot reach is told of, and again when it is back, with what to replay', async () => {
  const worker = start();
  await flowing(worker);
  const vhost = decodeURIComponent(new URL(url).pathname.slice(1));
  const resource = `rabbit_misc:r(<<"${vhost}">>, queue, <<"${queueOf('influx')}">>)`;
  // As RabbitMQ does it when the only node of a queue is down: it is in the table of queues that run no more.
  await broker.evaluate(`mnesia:dirty_delete(rabbit_queue, ${resource}).`);
  await until(async () => (await worker.readiness()).checks['topology'] !== true);
  const series = `weir_topology_missing{kind="queue",name="${queueOf('influx')}"}`;
  expect(await worker.metric(series)).toBe(1);
  const { msg, unavailable } = worker.logged(`${queueOf('influx')} is there`) ?? {};
  expect(msg).toBe('the queue weir.influx is there, but the broker cannot reach it');
  expect(unavailable).toMatch(/^home node .* is down or inaccessible$/);
  await publish(samplePull(1));
  await until(() => worker.written.length === 1); // nobody else is held up
  const another = start();
  await until(async () => (await another.readiness()).checks['rabbitmq'] === true);
  expect(await worker.metric('weir_topology_repairs_total')).toBe(0);

  await broker.evaluate(
    `[Q] = mnesia:dirty_read(rabbit_durable_queue, ${resource}), ok = mnesia:dirty_write(rabbit_queue, Q).`,
  );
  await until(() => worker.logged('there again') !== undefined);
  expect(worker.logged('there again')).toMatchObject({
    kind: 'queue', name: queueOf('influx'), fill: expect.stringMatching(/^weir replay influx --from .* --to /) as string,
  }); // prettier-ignore
  expect(await worker.metric('weir_topology_repairs_total')).toBe(1);
  await until(async () => (await worker.readiness()).checks['topology'] === true);
  expect(await worker.metric(series)).toBe(0);
}, 60_000);

describe('canaries', () => {
  test('come back through the fanout exchange and the queue, and are seen by no store and no count', async () => {
    const worker = start();
    await flowing(worker);
    await publish(samplePull(1), createEvent(CANARY, { worker: 'redis' }, { source: 'somebody' }), samplePull(2));
    await until(() => worker.written.length === 2);
    const before = await canariesOf(worker);
    await until(async () => (await canariesOf(worker)) > before);
    expect(worker.probes()).toBeGreaterThanOrEqual(2);
    expect(worker.written.map(({ type }) => type)).toEqual(['io.weir.pull', 'io.weir.pull']);
    expect(await worker.metric('weir_worker_events_total{outcome="written"}')).toBe(2);
    expect(await worker.metric('weir_worker_events_total{outcome="parked"}')).toBeUndefined();
    expect(await worker.metric('weir_worker_canary_seconds')).toBeGreaterThan(0);
    expect((await worker.readiness()).checks).toEqual({ store: true, rabbitmq: true, topology: true, canary: true });
  });

  test('go on after the queue of another worker refused them, though its limit went while it was over it', async () => {
    const worker = start();
    await flowing(worker);
    const vhost = `<<"watch-${vhosts}">>`;
    await broker.evaluate(
      `rabbit_policy:set(${vhost}, <<"full">>, <<"^weir.influx$">>, [{<<"max-length">>, 1}], 0, <<"queues">>, <<"test">>).`,
    );
    await until(async () => (await worker.readiness()).checks['canary'] !== true);
    expect((await worker.readiness()).checks['canary']).toMatch(/the broker (refused it|keeps refusing)/);
    // 3.10 never tells the channel that was refused that there is room again.
    await broker.evaluate(`rabbit_policy:delete(${vhost}, <<"full">>, <<"test">>).`);
    await channel.purgeQueue(queueOf('influx'));
    await ready(worker);
  });

  test('tell the worker that the flow works, each time anew where it failed, and never twice at a time', async () => {
    const told: number[] = [];
    let hang = (_: void): void => {};
    const worker = start({
      async flowed(at) {
        told.push(at);
        if (told.length === 1) throw new Error('not now');
        if (told.length === 2) await new Promise<void>((resolve) => (hang = resolve));
      },
    });
    await until(() => told.length === 2);
    const before = await canariesOf(worker);
    await until(async () => (await canariesOf(worker)) > before);
    await publish(samplePull(1));
    await until(() => worker.written.length === 1);
    expect(told).toHaveLength(2);
    expect(worker.logged('that the flow works could not be written down')).toMatchObject({ reason: 'not now' });
    hang();
    await until(() => told.length > 2);
    expect(Math.abs((told.at(-1) ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test('are answered by whichever instance has taken them', async () => {
    const [one, two] = [start(), start()];
    await flowing(one);
    await flowing(two);
    await until(() => one.probes() > 3 && two.probes() > 3);
    expect(one.logged('is missing') ?? two.logged('is missing')).toBeUndefined();
  });

  test('go on while an instance of the worker hangs with canaries in its hands', async () => {
    const hanging = start({ probe: () => new Promise(() => {}) });
    const worker = start();
    await flowing(worker);
    const before = await canariesOf(worker);
    await until(async () => (await canariesOf(worker)) > before + 3);
    expect(worker.logged('is missing')).toBeUndefined();
    expect(await canariesOf(hanging)).toBeGreaterThanOrEqual(0);
  });

  test('that do not come back are a reason not to be ready, until one does', async () => {
    let answers = false;
    const worker = start({
      async probe() {
        if (!answers) throw new Error('the store is asleep');
      },
    });
    await until(async () => (await worker.readiness()).checks['canary'] !== true);
    expect((await worker.readiness()).checks['canary']).toMatch(
      /^no canary has come back for \d+ s: the store is asleep$/,
    );
    answers = true;
    await ready(worker);
  });

  test('do not heap up in the queue while the store is away', async () => {
    const worker = start({
      async write() {
        throw new Error('the store is down');
      },
    });
    await publish(samplePull());
    await until(async () => (await worker.readiness()).checks['canary'] !== true);
    const begun = performance.now();
    await until(() => performance.now() - begun > 10 * INTERVAL_MS);
    await worker.stop();
    const types: unknown[] = [];
    await until(async () => {
      const message = await channel.get(queue, { noAck: true });
      if (message) types.push(message.properties.type);
      return !message && types.length > 0;
    });
    expect(types.filter((type) => type === CANARY).length).toBeLessThanOrEqual(3);
    expect(types).toContain(undefined); // the pull
  });

  test('forged ones are answered nowhere but by direct reply', async () => {
    const worker = start();
    await flowing(worker);
    await channel.assertQueue('somebody.else', { durable: true });
    const forged = encodeEvent(createEvent(CANARY, { worker: name }, { source: 'somebody' }));
    const options = { persistent: true, replyTo: 'somebody.else', correlationId: 'x' };
    channel.publish(EXCHANGE, '', forged, options);
    await publish(samplePull());
    await until(() => worker.written.length === 1);
    await worker.stop();
    expect(await depthOf('somebody.else')).toBe(0);
  });
});

describe('the audit', () => {
  test('finds a binding that was removed, heals it, and says how to fill the gap', async () => {
    const worker = start();
    await flowing(worker);
    await channel.unbindQueue(queue, EXCHANGE, '');
    await until(() => worker.logged('declared again'));
    expect(await worker.metric(`weir_topology_missing{kind="binding",name="${queue}"}`)).toBe(1);
    expect((await worker.readiness()).checks['topology']).toContain(`binding ${queue}`);
    expect(await worker.metric('weir_topology_repairs_total')).toBe(1);
    expect(worker.logged('declared again')).toMatchObject({
      kind: 'binding',
      name: queue,
      fill: expect.stringMatching(/^weir replay watched --from \d{4}-.*Z --to \d{4}-.*Z$/) as string,
    });
    await publish(samplePull());
    await until(() => worker.written.length === 1);
    await ready(worker);
    expect(await worker.metric(`weir_topology_missing{kind="binding",name="${queue}"}`)).toBe(0);
  });

  test('does so within 30 s at the pace of every day', async () => {
    const worker = start({}, WATCH_INTERVAL_MS);
    await flowing(worker);
    await channel.unbindQueue(queue, EXCHANGE, '');
    await until(() => worker.logged('declared again'), 30_000);
  }, 60_000);

  test('finds that the history is not bound any more', async () => {
    const worker = start();
    await flowing(worker);
    await channel.unbindQueue(HISTORY, EXCHANGE, '');
    await until(() => worker.logged('declared again'));
    expect(worker.logged('declared again')).toMatchObject({ kind: 'binding', name: HISTORY });
    expect(worker.logged(`the binding ${queue} is missing`)).toBeUndefined();
    await ready(worker);
  });

  test.each([queue, deadQueueOf(name), HISTORY, 'weir.unrouted', 'weir.redis'])(
    'finds that the queue %s is gone, heals and reports it',
    async (gone) => {
      const worker = start();
      await flowing(worker);
      await channel.deleteQueue(gone);
      await until(() => worker.logged('declared again'));
      expect(worker.logged('declared again')).toMatchObject({ kind: 'queue', name: gone });
      expect(await depthOf(gone)).toBeGreaterThanOrEqual(0);
      await publish(samplePull());
      await until(() => worker.written.length === 1);
      await ready(worker);
    },
  );

  test('finds that the exchange is gone, and everything is bound again', async () => {
    const worker = start();
    await flowing(worker);
    await channel.deleteExchange(EXCHANGE);
    await until(() => worker.logged('declared again'));
    expect(worker.logged('declared again')).toMatchObject({ kind: 'exchange', name: EXCHANGE });
    await publish(samplePull());
    await until(() => worker.written.length === 1);
    expect(await depthOf('weir.redis')).toBeGreaterThan(0);
    await ready(worker);
  });

  test('nothing is missing from a broker that is new', async () => {
    url = await broker.addVhost(`watch-new-${vhosts}`);
    const worker = start();
    await flowing(worker);
    expect(worker.logged('is missing')).toBeUndefined();
    expect(await worker.metric('weir_topology_repairs_total')).toBe(0);
  });

  test('a consumer that the broker has forgotten is started anew', async () => {
    const worker = start();
    await flowing(worker);
    // Within some 40 ms, RabbitMQ 3.10 tells nobody, and delivers to nobody.
    await channel.deleteQueue(queue);
    await declareTopology(channel, [...WORKERS, name]);
    await publish(samplePull());
    await until(() => worker.written.length === 1);
    await ready(worker);
  });

  test('counts what waits in the queue of the worker, among its dead letters and unrouted, and nobody else', async () => {
    const worker = start();
    channel.publish('', deadQueueOf(name), Buffer.from('x'), { persistent: true });
    await channel.waitForConfirms();
    await until(async () => (await worker.metric(`weir_queue_messages{queue="${deadQueueOf(name)}"}`)) === 1);
    expect(await worker.metric(`weir_queue_messages{queue="${queue}"}`)).toBe(0);
    expect(await worker.metric('weir_queue_messages{queue="weir.unrouted"}')).toBe(0);
    expect(await worker.metric('weir_queue_messages{queue="weir.redis"}')).toBeUndefined();
  });
});

describe('while the broker blocks publishers', () => {
  const alarm = () => broker.evaluate('rabbit_alarm:set_alarm({{resource_limit, disk, node()}, []}).');
  const allClear = () => broker.evaluate('rabbit_alarm:clear_alarm({resource_limit, disk, node()}).');
  afterEach(allClear);
  const nonsense = Buffer.from('{"not":');
  /** Past the alarm, into the queue itself. */
  const publishBefore = async (bodies: readonly Buffer[]): Promise<void> => {
    for (const body of bodies) channel.publish(EXCHANGE, '', body, { persistent: true });
    await channel.waitForConfirms();
  };

  test('a bad event waits alone: the rest of its batch and the next ones are acknowledged', async () => {
    const good = Array.from({ length: 250 }, (_, n) => encodeEvent(samplePull(n)));
    await publishBefore([...good.slice(0, 10), nonsense, ...good.slice(10, 120), nonsense, ...good.slice(120)]);
    await alarm();
    const worker = start();
    await until(() => worker.written.length === 250);
    await until(async () => (await worker.readiness()).checks['canary'] !== true);
    expect((await worker.readiness()).checks['canary']).toContain('the broker blocks publishers');
    expect(await depthOf(deadQueueOf(name))).toBe(0);
    await until(async () => ((await worker.metric('weir_worker_oldest_event_seconds')) as number) > 1);

    await allClear();
    await until(async () => (await depthOf(deadQueueOf(name))) === 2);
    await until(async () => (await worker.metric('weir_worker_oldest_event_seconds')) === 0);
    await ready(worker);
    await worker.stop();
    expect(await leftovers()).toEqual([]);
    expect(await depthOf(deadQueueOf(name))).toBe(2);
    expect(worker.written.length).toBe(250);
  }, 60_000);

  test('a worker that ends meanwhile leaves the bad event in its queue, and nothing else', async () => {
    await publishBefore([encodeEvent(samplePull(1)), nonsense, encodeEvent(samplePull(2))]);
    await alarm();
    const first = start();
    await until(() => first.written.length === 2);
    await first.stop();
    const found: Buffer[] = [];
    await until(async () => found.push(...(await leftovers())) > 0);
    expect(found).toEqual([nonsense]);
    channel.sendToQueue(queue, nonsense, { persistent: true });

    await allClear();
    const second = start();
    await until(async () => (await second.metric('weir_worker_events_total{outcome="parked"}')) === 1);
    await second.stop();
    expect(second.written).toEqual([]);
    expect(await leftovers()).toEqual([]);
    // The first may have sent its letter when the alarm began: the broker reads that when it is over.
    expect([1, 2]).toContain(await depthOf(deadQueueOf(name)));
  }, 60_000);
});
