import { gzipSync } from 'node:zlib';
import { deadQueueOf, declareTopology, queueOf } from '@weir/bus';
import { createEvent, encodeEvent, identityKey, limits, type WeirEvent } from '@weir/events';
import { createHealth } from '@weir/service';
import { isolated, until, type Isolated } from '@weir/testing';
import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startWorker } from './run';

// S45 and S46 of the reliability reference, part B: somebody puts messages straight into the queue of a worker, past
// every edge that would have looked at them.

const WORKER = 'hostile';

let broker: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;

beforeAll(async () => {
  broker = await isolated.amqp();
  connection = await connect(broker.url);
  channel = await connection.createConfirmChannel();
  await declareTopology(channel, [WORKER]);
});
afterAll(async () => {
  await connection.close();
  await broker.remove();
});

const good = (data: Record<string, unknown> = {}) => createEvent('io.weir.pull', { repository: 'a/b', ...data }, { source: '/forged' }); // prettier-ignore
const text = (event: object) => Buffer.from(JSON.stringify(event));
const nested = (depth: number) => Buffer.from(JSON.stringify(good()).replace('"a/b"', `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)); // prettier-ignore

const FORGED: readonly (readonly [what: string, body: Buffer, options?: Options.Publish])[] = [
  ['nothing at all', Buffer.alloc(0)],
  ['random bytes', Buffer.from([0, 255, 254, 1, 2, 3])],
  ['an event packed with gzip', gzipSync(encodeEvent(good())), { contentEncoding: 'gzip' }],
  ['a bomb', gzipSync(Buffer.alloc(20 * 1024 * 1024)), { contentEncoding: 'gzip', contentType: 'application/json' }],
  ['one byte more than an event may have', text(good({ note: 'x'.repeat(limits.eventBytes) }))],
  ['ten megabytes', text(good({ note: 'x'.repeat(10 * 1024 * 1024) }))],
  ['brackets 30,000 deep', Buffer.from('['.repeat(30_000) + ']'.repeat(30_000))],
  ['data 5,000 deep', nested(5000)],
  ['a list of events', text([good(), good()])],
  ['no time', text({ ...good(), time: undefined })],
  ['a time that would be a line of its own (S38)', text({ ...good(), time: '1\nadmin,x=1 v=1' })],
  ['a time that is a number', text({ ...good(), time: 1_700_000_000_000 })],
  ['an id that is an operator', text({ ...good(), id: { $ne: null } })],
  ['an id of half a surrogate pair', Buffer.from(encodeEvent({ ...good(), id: 'x' }).toString().replace('"id":"x"', '"id":"\\ud800"'))], // prettier-ignore
  ['a source with a newline', text({ ...good(), source: '/a\npull,x=1' })],
  ['a source of 100 KB', text({ ...good(), source: '/'.padEnd(2000, 'a') })],
  ['a type with white space', text({ ...good(), type: 'io.weir.pull x' })],
  ['data that is a text', text({ ...good(), data: 'DROP' })],
  ['a repository that is an object', text(good({ repository: { $gt: '' } }))],
  ['binary data', text({ ...good(), data: undefined, data_base64: 'AAAA' })],
  ['properties that say otherwise', Buffer.from('{}'), { type: 'io.weir.pull', messageId: 'x', headers: { a: { b: ['c'] } } }],
]; // prettier-ignore

test('what is no event is parked with its reason, once; the events among it are written, and nothing comes again', async () => {
  const written: WeirEvent[] = [];
  const metrics = new Registry();
  const aborter = new AbortController();
  const releases: (() => unknown)[] = [];
  startWorker(
    {
      name: WORKER,
      variables: {},
      create: () => ({
        connect: async () => {},
        write: async (batch: readonly WeirEvent[]) => void written.push(...batch),
        close: async () => {},
      }),
    },
    { AMQP_URL: broker.url },
    {
      log: pino({ level: 'silent' }),
      metrics,
      health: createHealth(),
      signal: aborter.signal,
      onStop: (_what, release) => void releases.unshift(release),
    },
  );

  const events = FORGED.map(() => good({ constructor: { prototype: { polluted: true } } }));
  for (const [at, [, body, options = {}]] of FORGED.entries()) {
    channel.publish('', queueOf(WORKER), body, { persistent: true, ...options });
    channel.publish('', queueOf(WORKER), encodeEvent(events[at] as WeirEvent), { persistent: true });
  }
  // Taken for what it is, whatever names are in it.
  const proto = Buffer.from(encodeEvent(good()).toString().replace('{"repository"', '{"__proto__":{"polluted":true},"repository"')); // prettier-ignore
  channel.publish('', queueOf(WORKER), proto, { persistent: true });
  await channel.waitForConfirms();

  const outcome = async (name: string): Promise<number> => {
    const metric = await metrics.getSingleMetric('weir_worker_events_total')?.get();
    return metric?.values.find(({ labels }) => labels['outcome'] === name)?.value ?? 0;
  };
  await until(async () => (await outcome('written')) + (await outcome('parked')) >= 2 * FORGED.length + 1);
  aborter.abort();
  for (const release of releases) await release();

  expect(written.slice(0, -1).map(identityKey)).toEqual(events.map(identityKey));
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(await outcome('parked')).toBe(FORGED.length);
  expect((await channel.checkQueue(queueOf(WORKER))).messageCount).toBe(0);
  for (const [what, body] of FORGED) {
    const letter = await channel.get(deadQueueOf(WORKER), { noAck: true });
    const found = letter && {
      same: letter.content.equals(body),
      reason: letter.properties.headers?.['weir-reason'] as unknown,
    };
    expect([what, found]).toEqual([what, { same: true, reason: 'invalid event' }]);
    const error = String(letter && letter.properties.headers?.['weir-error']);
    expect([what, error.length > 3 && error.length <= 2000]).toEqual([what, true]);
  }
  expect(await channel.get(deadQueueOf(WORKER))).toBe(false);
}, 120_000);
