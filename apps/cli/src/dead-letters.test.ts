import { deadQueueOf, declareTopology, EXCHANGE, queueOf, UNROUTED } from '@weir/bus';
import { createEvent, encodeEvent } from '@weir/events';
import { isolated, until, type Isolated } from '@weir/testing';
import { connect, type Channel, type ChannelModel, type ConfirmChannel, type GetMessage } from 'amqplib';
import type { DeadLetter } from './dead-letters/letter';
import { walk } from './dead-letters/walk';
import { weirDone } from './io.test-support';

let broker: Isolated;
let connection: ChannelModel;
let channel: ConfirmChannel;
let env: Record<string, string>;

beforeEach(async () => {
  broker = await isolated.amqp();
  env = { AMQP_URL: broker.url };
  connection = await connect(broker.url);
  channel = await connection.createConfirmChannel();
  await declareTopology(channel);
});

afterEach(async () => {
  await connection.close();
  await broker.remove();
});

const HOUR_MS = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

interface Parked {
  id: string;
  worker?: string;
  reason?: string;
  time?: string;
  headers?: Record<string, unknown>;
}

const bodyOf = (id: string) =>
  encodeEvent(createEvent('io.weir.pull', { repository: 'a/b' }, { source: '/t', id, time: new Date(0) }));

/** Parks letters as a worker does, and waits until they can be seen. */
async function park(letters: readonly Parked[]): Promise<void> {
  const queues = new Map<string, number>();
  for (const { id, worker = 'redis', reason = 'invalid event', time = ago(HOUR_MS), headers } of letters) {
    const about = { 'weir-worker': worker, 'weir-reason': reason, 'weir-error': `why ${id}`, 'weir-time': time };
    const queue = deadQueueOf(worker);
    channel.sendToQueue(queue, bodyOf(id), { persistent: true, messageId: id, headers: { ...about, ...headers } });
    queues.set(queue, (queues.get(queue) ?? 0) + 1);
  }
  await channel.waitForConfirms();
  for (const [queue, count] of queues) await until(async () => (await ready(queue)) >= count);
}

const ready = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
const names = (count: number, prefix = 'd') => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

async function weir(args: string[], world: { terminal?: boolean; stdin?: string } = {}) {
  const done = await weirDone(['dead-letters', ...args], { env, ...world });
  const lines = <T>() => (world.terminal ? [] : (done.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)) as T[])); // prettier-ignore
  return { ...done, lines };
}

const listed = async (args: string[] = []) => (await weir(['list', '--letters', '--limit', '9999', ...args])).lines<DeadLetter>(); // prettier-ignore
const idsOf = (letters: readonly { id: string }[]) => letters.map(({ id }) => id);

/** Fills a bounded queue, until it refuses what more comes. */
async function fill(queue: string): Promise<void> {
  const offer = () => new Promise<boolean>((resolve) => channel.sendToQueue(queue, Buffer.from('{}'), {}, (error: unknown) => resolve(!error))); // prettier-ignore
  for (let taken = true; taken;) taken = await offer();
}

/** Takes everything out of a queue. */
async function drain(from: Channel, queue: string): Promise<GetMessage[]> {
  const taken: GetMessage[] = [];
  for (let next = await from.get(queue, { noAck: true }); next; next = await from.get(queue, { noAck: true }))
    taken.push(next);
  return taken;
}
const idsIn = async (queue: string) => (await drain(channel, queue)).map(({ properties }) => properties.messageId as string); // prettier-ignore

describe('weir dead-letters list', () => {
  test('counts by worker and reason, with the first and the last time, also what nobody routed', async () => {
    await park([
      { id: '1', time: '2026-11-23T06:54:00.000Z' },
      { id: '2', time: '2026-11-23T05:54:00.000Z', headers: { 'weir-replays': 3 } },
      { id: '3', time: '2026-11-23T04:54:00.000Z', reason: 'refused by the store' },
      { id: '4', time: '2026-11-23T07:54:00.000Z', worker: 'influx' },
    ]);
    channel.sendToQueue(UNROUTED, bodyOf('5'), { messageId: '5', timestamp: 1_795_416_840 });
    await until(async () => (await ready(UNROUTED)) === 1);
    const { code, stderr, lines } = await weir(['list']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const time = (hour: number) => `2026-11-23T0${hour}:54:00.000Z`;
    expect(lines()).toEqual([
      { worker: 'redis', reason: 'invalid event', letters: 2, first: time(5), last: time(6), replays: 3 },
      { worker: 'redis', reason: 'refused by the store', letters: 1, first: time(4), last: time(4), replays: 0 },
      { worker: 'influx', reason: 'invalid event', letters: 1, first: time(7), last: time(7), replays: 0 },
      { worker: 'unrouted', reason: 'unrouted', letters: 1, first: time(6), last: time(6), replays: 0 },
    ]);
  });

  test('is a table on a terminal', async () => {
    await park([{ id: '1', reason: 'odd\u001b[2J' }]);
    const { stdout } = await weir(['list'], { terminal: true });
    expect(stdout).toMatch(/│ redis +│ \S*odd�\[2J\S* +│ +1 │ \d{4}-/);
    expect((await weir(['list', '--worker', 'mongo'], { terminal: true })).stdout).toBe('there are no such dead letters\n'); // prettier-ignore
  });

  test('shows single letters, and leaves all where they are, in order', async () => {
    await park(names(70).map((id) => ({ id })));
    const letters = await listed();
    expect(letters[0]).toMatchObject({
      id: 'd0', worker: 'redis', reason: 'invalid event', error: 'why d0', replays: 0, before: [],
      event: { id: 'd0', type: 'io.weir.pull', source: '/t' },
    }); // prettier-ignore
    expect(idsOf(letters)).toEqual(names(70));
    expect(idsOf(await listed())).toEqual(names(70));
    expect((await weir(['list', '--letters'])).lines()).toHaveLength(20);
    expect(idsOf((await weir(['list', '--letters', '--limit', '3'])).lines())).toEqual(['d0', 'd1', 'd2']);
    expect(await idsIn(deadQueueOf('redis'))).toEqual(names(70));
  });

  test('shows what the broker parked itself, and what is no event', async () => {
    const death = [
      { reason: 'delivery_limit', queue: 'weir.mongo', time: { '!': 'timestamp', value: 1_795_416_840 }, count: 1 },
    ];
    channel.sendToQueue(deadQueueOf('mongo'), Buffer.from('\u001b[2J not json'), { headers: { 'x-death': death } });
    await until(async () => (await ready(deadQueueOf('mongo'))) === 1);
    expect(await listed()).toMatchObject([
      {
        id: expect.stringMatching(/^sha256:[0-9a-f]{16}$/) as string,
        worker: 'mongo',
        reason: 'delivery_limit',
        error: 'parked by the broker from weir.mongo',
        time: '2026-11-23T06:54:00.000Z',
        event: null,
        body: expect.stringContaining('not json') as string,
      },
    ]);
    const { stdout } = await weir(['list', '--letters'], { terminal: true });
    expect(stdout).toMatch(/mongo +│ 2026-11-23T06:54:0/);
  });

  test('shows what a real delivery limit made the broker park', async () => {
    const queue = queueOf('redis');
    channel.sendToQueue(queue, bodyOf('poison'), { persistent: true, messageId: 'poison' });
    await until(async () => {
      const message = await channel.get(queue, { noAck: false });
      if (message) channel.reject(message, true);
      return (await ready(deadQueueOf('redis'))) === 1;
    });
    expect(await listed()).toMatchObject([
      { id: 'poison', worker: 'redis', reason: 'delivery_limit', error: 'parked by the broker from weir.redis' },
    ]);
    expect(Date.parse((await listed())[0]?.time ?? '')).toBeGreaterThan(Date.now() - HOUR_MS);
    expect((await weir(['replay', '--yes'])).lines()).toMatchObject([{ action: 'replayed', id: 'poison' }]);
    const [again] = await drain(channel, queue);
    expect(again?.properties.headers).not.toHaveProperty('x-death');
    expect(again?.properties.headers).toMatchObject({
      'weir-replays': 1,
      'weir-tries': [{ reason: 'delivery_limit' }],
    });
  });

  test('loses nothing when several look at the same time', async () => {
    await park(names(20).map((id) => ({ id })));
    await Promise.all(Array.from({ length: 4 }, () => weir(['list'])));
    await until(async () => (await ready(deadQueueOf('redis'))) === 20);
    expect(new Set(idsOf(await listed())).size).toBe(20);
  });

  test('says which queue is not there, and shows the others', async () => {
    const { code, stdout, stderr } = await weir(['list', '--worker', 'nobody', '--worker', 'redis']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe('weir: nobody: there is no queue weir.dead.nobody: see `weir topology`\n');
  });

  test.each([
    [['--older-than', '2 days'], /It must be a number and a unit: 90s, 15m, 6h, 2d or 1w/],
    [['--limit', '0'], /It must be a number from 1/],
    [['--worker', '../x'], /It is no name of a worker/],
  ])('refuses %j', async (args, message) => {
    expect(await weir(['list', ...args])).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
  });
});

describe('the letters that are meant', () => {
  const parked = [
    { id: 'old', time: ago(72 * HOUR_MS) },
    { id: 'new', time: ago(HOUR_MS) },
    { id: 'refused', time: ago(72 * HOUR_MS), reason: 'refused by the store' },
    { id: 'timeless', time: '' },
    { id: 'influx', time: ago(72 * HOUR_MS), worker: 'influx' },
  ];

  test.each([
    [[], ['old', 'new', 'refused', 'timeless', 'influx']],
    [
      ['--worker', 'redis'],
      ['old', 'new', 'refused', 'timeless'],
    ],
    [
      ['--worker', 'redis', 'influx', '--older-than', '2d'],
      ['old', 'refused', 'influx'],
    ],
    [['--newer-than', '2d'], ['new']],
    [['--older-than', '30m', '--newer-than', '2h'], ['new']],
    [['--reason', 'refused by the store'], ['refused']],
    [['--reason', 'refused'], []],
    [['--reason', 'refused*', 'delivery_limit'], ['refused']],
    [['--older-than', '1w'], []],
  ])('%j', async (args, expected) => {
    await park(parked);
    expect(idsOf(await listed(args))).toEqual(expected);
    await weir(['discard', '--yes', ...args]);
    expect(idsOf(await listed()).sort()).toEqual(idsOf(parked).filter((id) => !(expected as string[]).includes(id)).sort()); // prettier-ignore
  });

  test('by id, and the oldest first', async () => {
    await park(names(6).map((id) => ({ id })));
    expect(idsOf((await weir(['replay', '--id', 'd4', 'd1', '--yes'])).lines())).toEqual(['d1', 'd4']);
    expect(idsOf((await weir(['discard', '--limit', '2', '--yes'])).lines())).toEqual(['d0', 'd2']);
    expect(idsOf(await listed())).toEqual(['d3', 'd5']);
  });
});

describe('weir dead-letters show', () => {
  test('has the body, the reason and the tries before', async () => {
    await park([
      { id: 'x', headers: { 'weir-replays': 2, 'weir-tries': [{ reason: 'refused', error: 'first\u0007', time: '2026-11-01T00:00:00.000Z' }, 7] } },
      { id: 'y' },
    ]); // prettier-ignore
    expect((await weir(['show', 'x'])).lines()).toMatchObject([
      { id: 'x', error: 'why x', replays: 2, before: [{ reason: 'refused', error: 'first\u0007' }, { reason: '', error: '' }] },
    ]); // prettier-ignore
    const { stdout } = await weir(['show', 'x'], { terminal: true });
    const text = stdout.replace(/\u001b\[\d+m/g, '');
    expect(text).toMatch(/^x of redis\nparked +2026-11-01T00:00:00.000Z +refused: first�\nagain /);
    expect(text).toMatch(/again +\d{4}-.* invalid event: why x\nreplayed +2 times\n/);
    expect(text).toContain('  "repository": "a/b"\n');
    expect(idsOf(await listed())).toEqual(['x', 'y']);
  });

  test('says so when there is none', async () => {
    expect(await weir(['show', 'z'])).toMatchObject({ code: 1, stdout: '', stderr: 'weir: there is no such dead letter: z\n' }); // prettier-ignore
  });
});

describe('weir dead-letters replay', () => {
  test('sends letters back to their own worker alone, as they were, and counts it', async () => {
    await park([{ id: 'r' }, { id: 'm', worker: 'mongo', headers: { 'x-trace': 'a', other: 'b', 'weir-replays': 1 } }]);
    const { code, stderr, lines } = await weir(['replay', '--yes']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines()).toMatchObject([
      { action: 'replayed', id: 'r', worker: 'redis', event: { id: 'r' } },
      { action: 'replayed', id: 'm', worker: 'mongo', replays: 1 },
    ]);
    expect(await listed()).toEqual([]);
    expect(await ready(queueOf('influx'))).toBe(0);
    const [r, ...moreR] = await drain(channel, queueOf('redis'));
    const [m, ...moreM] = await drain(channel, queueOf('mongo'));
    expect([...moreR, ...moreM]).toEqual([]);
    expect(r?.content.equals(bodyOf('r'))).toBe(true);
    expect(r?.properties).toMatchObject({ messageId: 'r', deliveryMode: 2 });
    expect(r?.properties.headers).toEqual({
      'weir-replays': 1,
      'weir-tries': [{ reason: 'invalid event', error: 'why r', time: expect.any(String) as string }],
      'x-delivery-count': 0, // the broker's own, and new
    });
    expect(m?.properties.headers).toMatchObject({ other: 'b', 'weir-replays': 2 });
    expect(m?.properties.headers).not.toHaveProperty('x-trace');
  });

  test('remembers ten tries and no more', async () => {
    const tries = names(10).map((error) => ({ reason: 'refused', error, time: '' }));
    await park([{ id: 'r', headers: { 'weir-replays': 41, 'weir-tries': tries } }]);
    await weir(['replay', '--yes']);
    const [message] = await drain(channel, queueOf('redis'));
    const remembered = (message?.properties.headers?.['weir-tries'] as { error: string }[]).map(({ error }) => error);
    expect(remembered).toEqual([...names(10).slice(1), 'why r']);
    expect(message?.properties.headers?.['weir-replays']).toBe(42);
  });

  test('only looks unless it is told to do it', async () => {
    await park(names(3).map((id) => ({ id })));
    for (const args of [[], ['--dry-run']]) {
      const { code, stderr, lines } = await weir(['replay', ...args]);
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: 'weir: nothing was changed; --yes would replay 3 letters\n',
      });
      expect(lines()).toMatchObject(names(3).map((id) => ({ action: 'would-replay', id })));
    }
    expect(await weir(['replay', '--yes', '--dry-run'])).toMatchObject({ code: 2 });
    expect(idsOf(await listed())).toEqual(names(3));
    expect(await ready(queueOf('redis'))).toBe(0);
  });

  test('asks on a terminal, and takes nothing but yes for a yes', async () => {
    await park(names(3).map((id) => ({ id })));
    for (const stdin of ['n\n', '\n', '', 'yesterday\n']) {
      const { code, stdout, stderr } = await weir(['replay'], { terminal: true, stdin });
      expect({ code, stderr }).toEqual({ code: 0, stderr: 'weir: nothing was changed\n' });
      expect(stdout).toContain('Replay 3 letters? [y/N]');
    }
    expect(await ready(queueOf('redis'))).toBe(0);
    const { code, stdout } = await weir(['replay'], { terminal: true, stdin: 'y\n' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/replayed:\n[^]*│ redis +│ \S*invalid event\S* +│ +3 │/);
    expect(await idsIn(queueOf('redis'))).toEqual(names(3));
  });

  test('keeps a letter whose queue is gone, and says so', async () => {
    await park(names(3).map((id) => ({ id })));
    await channel.deleteQueue(queueOf('redis'));
    const { code, stderr } = await weir(['replay', '--yes']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'weir: there is no queue weir.redis: see `weir topology`. What was not taken is among the dead letters still\n',
    );
    expect(idsOf(await listed(['--worker', 'redis']))).toEqual(names(3));
  });

  test('keeps a letter that a full queue refuses', async () => {
    await channel.deleteQueue(queueOf('redis'));
    const full = { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    await channel.assertQueue(queueOf('redis'), { durable: true, arguments: full });
    await fill(queueOf('redis'));
    await park(names(30).map((id) => ({ id })));
    const { code, stderr } = await weir(['replay', '--yes', '--worker', 'redis']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/the broker refuses it: is weir.redis full/) as string }); // prettier-ignore
    expect(await idsIn(deadQueueOf('redis'))).toEqual(names(30));
  });

  test('does not go after letters that come back while it runs', async () => {
    await park(names(50).map((id) => ({ id })));
    // A worker that parks at once whatever it gets.
    await channel.consume(
      queueOf('redis'),
      (message) => {
        if (!message) return;
        const headers = { ...message.properties.headers, 'weir-reason': 'again' };
        channel.sendToQueue(deadQueueOf('redis'), message.content, { persistent: true, headers });
        channel.ack(message);
      },
      { noAck: false },
    );
    const { code, lines } = await weir(['replay', '--yes', '--worker', 'redis']);
    expect(code).toBe(0);
    expect(idsOf(lines())).toEqual(names(50));
    await until(async () => (await ready(deadQueueOf('redis'))) === 50);
    for (const letter of await listed()) expect(letter).toMatchObject({ reason: 'again', replays: 1 });
  });

  test('sends what was unrouted to everybody, and makes the queues for it first', async () => {
    channel.publish(EXCHANGE, '', bodyOf('warm')); // goes where it should: nothing of it is unrouted
    await channel.waitForConfirms();
    for (const worker of ['redis', 'influx', 'mongo']) await channel.deleteQueue(queueOf(worker));
    await channel.unbindQueue('weir.history', EXCHANGE, '');
    channel.publish(EXCHANGE, '', bodyOf('lost'), { persistent: true, messageId: 'lost' });
    await until(async () => (await ready(UNROUTED)) === 1);
    expect((await weir(['replay', '--worker', 'unrouted', '--yes'])).lines()).toMatchObject([
      { action: 'replayed', id: 'lost', worker: 'unrouted' },
    ]);
    for (const worker of ['redis', 'mongo']) expect(await idsIn(queueOf(worker))).toEqual(['lost']);
    expect(await ready(queueOf('influx'))).toBe(1);
    expect(await ready(UNROUTED)).toBe(0);
  });
});

describe('weir dead-letters discard', () => {
  test('writes each letter out and takes it away, and no other', async () => {
    await park([...names(40).map((id) => ({ id, reason: 'invalid event' })), ...names(40, 'k').map((id) => ({ id, reason: 'refused' }))]); // prettier-ignore
    const { code, lines } = await weir(['discard', '--reason', 'invalid*', '--yes']);
    expect(code).toBe(0);
    expect(lines()).toMatchObject(names(40).map((id) => ({ action: 'discarded', id, event: { data: { repository: 'a/b' } } }))); // prettier-ignore
    expect(await idsIn(deadQueueOf('redis'))).toEqual(names(40, 'k'));
    expect(await ready(queueOf('redis'))).toBe(0);
  });

  test('only looks unless it is told to do it', async () => {
    await park(names(2).map((id) => ({ id })));
    const { code, stderr } = await weir(['discard', '--json'], { terminal: true });
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'weir: nothing was changed; --yes would discard 2 letters\n' });
    expect(idsOf(await listed())).toEqual(names(2));
  });
});

describe('a walk', () => {
  const visited: string[] = [];
  const visit = (goes: (id: string) => boolean) => async (message: { properties: { messageId?: unknown } }) => {
    visited.push(String(message.properties.messageId));
    return { goes: goes(String(message.properties.messageId)) };
  };
  beforeEach(() => void visited.splice(0));

  test('goes through more letters than it may hold out unseen, and gives them back in order', async () => {
    await park(names(200).map((id) => ({ id })));
    const options = { queue: deadQueueOf('redis'), signal: new AbortController().signal, prefetch: 40 };
    const odd = (id: string) => Number(id.slice(1)) % 2 === 1;
    expect(await walk(connection, { ...options, visit: visit(odd) })).toEqual({ there: 200, seen: 200 });
    expect(visited).toEqual(names(200));
    expect(await idsIn(deadQueueOf('redis'))).toEqual(names(200).filter((id) => !odd(id)));
  });

  test('ends when it is interrupted, when time is up, and when others hold the letters, and loses none', async () => {
    await park(names(100).map((id) => ({ id })));
    const options = { queue: deadQueueOf('redis'), prefetch: 10 };
    const stopping = new AbortController();
    const visitSome = async () => (stopping.abort(), { goes: true });
    expect(await walk(connection, { ...options, signal: stopping.signal, visit: visitSome })).toEqual({
      there: 100,
      seen: 1,
      stopped: 'interrupted',
    });
    const { signal } = new AbortController();
    expect(await walk(connection, { ...options, signal, limitMs: -1, visit: visit(() => true) })).toEqual({
      there: 99,
      seen: 0,
      stopped: 'too long',
    });
    const other = await connection.createChannel();
    await other.prefetch(60);
    let held = 0;
    const visitWhileOthersTake = async () => {
      if (held === 0) await other.consume(deadQueueOf('redis'), () => void (held += 1), { noAck: false });
      await until(() => held === 60);
      return { goes: false };
    };
    expect(await walk(connection, { ...options, signal, visit: visitWhileOthersTake })).toEqual({
      there: 99,
      seen: 39,
    });
    await other.close();
    await until(async () => (await ready(deadQueueOf('redis'))) === 99);
    expect((await idsIn(deadQueueOf('redis'))).sort()).toEqual(names(100).slice(1).sort());
  });

  test('ends with an error that says what to do when its queue is deleted', async () => {
    await park(names(5).map((id) => ({ id })));
    const visitAndDelete = async () => {
      await channel.deleteQueue(deadQueueOf('redis'));
      return { goes: false };
    };
    const options = { queue: deadQueueOf('redis'), signal: new AbortController().signal, prefetch: 1 };
    await expect(walk(connection, { ...options, visit: visitAndDelete })).rejects.toThrow(/the queue weir.dead.redis was deleted/); // prettier-ignore
  });
});
