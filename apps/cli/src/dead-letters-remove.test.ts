import { deadQueueOf, EXCHANGE, queueOf, UNROUTED } from '@weir/bus';
import { until } from '@weir/testing';
import { bodyOf, idsOf, inVirtualHost, names } from './dead-letters.test-support';

const here = inVirtualHost();
const { ready, park, weir, listed, drain, idsIn } = here;

/** Fills a bounded queue, until it refuses what more comes. */
async function fill(queue: string): Promise<void> {
  const offer = () =>
    new Promise<boolean>((resolve) => {
      here.channel.sendToQueue(queue, Buffer.from('{}'), {}, (error: unknown) => resolve(!error));
    });
  for (let taken = true; taken;) taken = await offer();
}

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
    const [r, ...moreR] = await drain(queueOf('redis'));
    const [m, ...moreM] = await drain(queueOf('mongo'));
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
    const [message] = await drain(queueOf('redis'));
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
    await here.channel.deleteQueue(queueOf('redis'));
    const { code, stderr } = await weir(['replay', '--yes']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'weir: there is no queue weir.redis: see `weir topology`. What was not taken is among the dead letters still\n',
    );
    expect(idsOf(await listed(['--worker', 'redis']))).toEqual(names(3));
  });

  test('keeps a letter that a full queue refuses', async () => {
    await here.channel.deleteQueue(queueOf('redis'));
    const full = { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    await here.channel.assertQueue(queueOf('redis'), { durable: true, arguments: full });
    await fill(queueOf('redis'));
    await park(names(30).map((id) => ({ id })));
    const { code, stderr } = await weir(['replay', '--yes', '--worker', 'redis']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/the broker refuses it: is weir.redis full/) as string }); // prettier-ignore
    expect(await idsIn(deadQueueOf('redis'))).toEqual(names(30));
  });

  test('does not go after letters that come back while it runs', async () => {
    await park(names(50).map((id) => ({ id })));
    // A worker that parks at once whatever it gets.
    await here.channel.consume(
      queueOf('redis'),
      (message) => {
        if (!message) return;
        const headers = { ...message.properties.headers, 'weir-reason': 'again' };
        here.channel.sendToQueue(deadQueueOf('redis'), message.content, { persistent: true, headers });
        here.channel.ack(message);
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
    here.channel.publish(EXCHANGE, '', bodyOf('warm')); // goes where it should: nothing of it is unrouted
    await here.channel.waitForConfirms();
    for (const worker of ['redis', 'influx', 'mongo']) await here.channel.deleteQueue(queueOf(worker));
    await here.channel.unbindQueue('weir.history', EXCHANGE, '');
    here.channel.publish(EXCHANGE, '', bodyOf('lost'), { persistent: true, messageId: 'lost' });
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
