import { deadQueueOf, queueOf, UNROUTED } from '@weir/bus';
import { until } from '@weir/testing';
import { ago, bodyOf, HOUR_MS, idsOf, inVirtualHost, names } from './dead-letters.test-support';

const here = inVirtualHost();
const { ready, park, weir, listed, drain, idsIn } = here;

describe('weir dead-letters list', () => {
  test('counts by worker and reason, with the first and the last time, also what nobody routed', async () => {
    await park([
      { id: '1', time: '2026-11-23T06:54:00.000Z' },
      { id: '2', time: '2026-11-23T05:54:00.000Z', headers: { 'weir-replays': 3 } },
      { id: '3', time: '2026-11-23T04:54:00.000Z', reason: 'refused by the store' },
      { id: '4', time: '2026-11-23T07:54:00.000Z', worker: 'influx' },
    ]);
    here.channel.sendToQueue(UNROUTED, bodyOf('5'), { messageId: '5', timestamp: 1_795_416_840 });
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
    here.channel.sendToQueue(deadQueueOf('mongo'), Buffer.from('\u001b[2J not json'), {
      headers: { 'x-death': death },
    });
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
    here.channel.sendToQueue(queue, bodyOf('poison'), { persistent: true, messageId: 'poison' });
    await until(async () => {
      const message = await here.channel.get(queue, { noAck: false });
      if (message) here.channel.reject(message, true);
      return (await ready(deadQueueOf('redis'))) === 1;
    });
    const letters = await listed();
    expect(letters).toMatchObject([
      { id: 'poison', worker: 'redis', reason: 'delivery_limit', error: 'parked by the broker from weir.redis' },
    ]);
    // What a look has had in hand goes back a moment later.
    await until(async () => (await ready(deadQueueOf('redis'))) === 1);
    expect(Date.parse(letters[0]?.time ?? '')).toBeGreaterThan(Date.now() - HOUR_MS);
    expect((await weir(['replay', '--yes'])).lines()).toMatchObject([{ action: 'replayed', id: 'poison' }]);
    const [again] = await drain(queue);
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
