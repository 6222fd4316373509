import { join } from 'node:path';
import { connect } from 'amqplib';
import { createEvent, type WeirEvent } from '@weir/events';
import { startRabbitmq, temporaryDirectory, until, type PrivateRabbitmq } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createPublisher, queueOf, type Publisher, type PublisherOptions } from './index';
import { openSpool } from './spool';

/** A publisher whose broker misbehaves; a broker of its own, since alarms and policies are for all of it. */
const log = pino({ level: 'silent' });
let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: PrivateRabbitmq;
let publisher: Publisher;
let serial = 0;
let spoolDir: string;

const open = (options: Partial<PublisherOptions> = {}) =>
  (publisher = createPublisher({ url: broker.url, spoolDir, log, metrics: new Registry(), ...options }));
const pulls = (n: number): WeirEvent[] =>
  Array.from({ length: n }, () => createEvent('io.weir.pull', { repository: 'a/b' }, { source: 'faults-test' }));
const outcomes = async (events: WeirEvent[]) =>
  (await publisher.publishAll(events)).map((result) => (result.status === 'fulfilled' ? result.value : 'refused'));
const ready = () => until(() => publisher.ready() === true);
const drained = () => until(() => publisher.depth().spooledEvents === 0);

/** Everything that is in a worker's queue. */
async function take(queue = queueOf('redis')): Promise<string[]> {
  const connection = await connect(broker.url);
  const channel = await connection.createChannel();
  const bodies: string[] = [];
  for (let found = await channel.get(queue, { noAck: true }); found; found = await channel.get(queue, { noAck: true }))
    bodies.push(found.content.toString());
  await connection.close();
  return bodies;
}

/** Makes room; not by taking one after the other, which a queue with a single active consumer does not allow. */
async function empty(queue: string): Promise<void> {
  const connection = await connect(broker.url);
  await (await connection.createChannel()).purgeQueue(queue);
  await connection.close();
}
const ids = (bodies: string[]) => [...new Set(bodies.map((body) => (JSON.parse(body) as WeirEvent).id))].sort();

beforeAll(async () => {
  dir = await temporaryDirectory();
  broker = await startRabbitmq({ dir: join(dir.path, 'rabbitmq'), startTimeoutMs: 150_000 });
}, 180_000);
beforeEach(() => {
  spoolDir = join(dir.path, `spool-${(serial += 1)}`);
});
afterEach(() => publisher.close());
afterAll(async () => {
  await broker.stop();
  await dir.remove();
}, 60_000);

test('an alarm sends events to the spool at once, and its end brings them back', async () => {
  open({ confirmTimeoutMs: 1500 });
  await ready();
  await broker.evaluate('rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).');
  const events = pulls(50);
  expect(new Set(await outcomes(events))).toEqual(new Set(['spooled']));
  expect(publisher.ready()).toBe('the broker blocks publishers');
  events.push(...pulls(5));
  expect(new Set(await outcomes(events.slice(50)))).toEqual(new Set(['spooled']));
  await new Promise((resolve) => setTimeout(resolve, 4000)); // longer than a confirm may take
  await broker.evaluate('rabbit_alarm:clear_alarm({resource_limit, memory, node()}).');
  await drained();
  await ready();
  expect(await outcomes(pulls(1))).toEqual(['confirmed']);
  expect(ids(await take())).toEqual(expect.arrayContaining(events.map(({ id }) => id)));
});

test('a small window drains too', async () => {
  open({ window: 20 });
  await ready();
  const events = pulls(500);
  expect(await outcomes(events)).not.toContain('refused');
  await drained();
  expect(ids(await take())).toEqual(events.map(({ id }) => id).sort());
});

test('what is no event, or no event of AMQP, does not keep the rest in the spool', async () => {
  const [event] = pulls(1) as [WeirEvent];
  const odd = ['no JSON', 'null', JSON.stringify({ ...event, time: 'yesterday', id: 7 }), JSON.stringify(event)];
  const spool = await openSpool({ dir: spoolDir, maxBytes: 1024 ** 2, log });
  for (const body of odd) await spool.append(Buffer.from(body));
  await spool.close();
  open();
  await until(() => publisher.owning() === true); // or there would be nothing in the spool yet
  await ready();
  const live = { ...event, time: '1969-01-01T00:00:00Z' };
  expect(await publisher.publish(live)).toBe('confirmed');
  await drained();
  expect((await take()).sort()).toEqual([...odd, JSON.stringify(live)].sort());
});

test('a queue that refuses sends events to the spool; what it takes later is not lost', async () => {
  open();
  await ready();
  await broker.evaluate(
    'rabbit_policy:set(<<"/">>, <<"full">>, <<"^weir.influx$">>, [{<<"max-length">>, 100}], 0, <<"queues">>, <<"test">>).',
  );
  const events = pulls(300);
  const first = await outcomes(events);
  expect(first).toContain('spooled');
  expect(first).not.toContain('refused');
  await until(async () => (await empty(queueOf('influx')), publisher.depth().spooledEvents === 0));
  expect(ids(await take())).toEqual(events.map(({ id }) => id).sort());
  await broker.evaluate('rabbit_policy:delete(<<"/">>, <<"full">>, <<"test">>).');
});

test('a broker that refuses is not relied on: whether events are taken is then a matter of the spool', async () => {
  open({ spoolBytes: 300_000 });
  await ready();
  await broker.evaluate(
    'rabbit_policy:set(<<"/">>, <<"full">>, <<"^weir.influx$">>, [{<<"max-length">>, 10}], 0, <<"queues">>, <<"test">>).',
  );
  const large = (n: number) =>
    Array.from({ length: n }, () =>
      createEvent('io.weir.pull', { repository: 'a/b', note: 'x'.repeat(60_000) }, { source: 'faults-test' }),
    );
  await until(async () => (await outcomes(large(16))).includes('refused'));
  expect(publisher.ready()).toBe(true);
  expect(publisher.accepting()).toBe('The spool is full');
  // A limit that goes while the queue is over it: 3.10 never tells that channel that there is room again.
  await broker.evaluate('rabbit_policy:delete(<<"/">>, <<"full">>, <<"test">>).');
  await empty(queueOf('influx'));
  await drained();
  await ready();
  expect(await outcomes(pulls(1))).toEqual(['confirmed']);
  expect(publisher.accepting()).toBe(true);
  await take();
});

test('a spool that is taken, or cannot be opened for another reason, is opened as soon as it can be', async () => {
  const other = await openSpool({ dir: spoolDir, maxBytes: 1024, log });
  open({ url: 'amqp://127.0.0.1:1' });
  await expect(publisher.publish(pulls(1)[0] as WeirEvent)).rejects.toThrow(/in use by process/);
  await other.close();
  await until(async () => (await publisher.publish(pulls(1)[0] as WeirEvent)) === 'spooled');
});

test('closing while the broker has fallen silent spools what is in flight, well within a grace period', async () => {
  open();
  await ready();
  broker.suspend();
  const publishing = outcomes(pulls(20));
  const grace = new Promise((_, reject) =>
    setTimeout(() => reject(new Error('it took longer than 20 s')), 20_000).unref(),
  );
  await Promise.race([publisher.close(), grace]);
  broker.resume();
  expect(new Set(await publishing)).toEqual(new Set(['spooled']));
  open();
  await drained();
  await take();
});
