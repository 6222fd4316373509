import { createPublisher, queueOf } from '@weir/bus';
import { isolated, temporaryDirectory, until } from '@weir/testing';
import type { Isolated } from '@weir/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createFlow } from './flow';
import { openTestStore, pull } from './store.test-support';
import type { TestStore } from './store.test-support';

let store: TestStore;
let broker: Isolated;
beforeAll(async () => {
  [store, broker] = await Promise.all([openTestStore(), isolated.amqp()]);
});
afterAll(async () => {
  await broker?.remove();
  await store?.close();
});

function flowTo(database: string, queues?: readonly string[]) {
  const lines: { reason?: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line) as object) });
  const flow = createFlow({
    amqpUrl: broker.url,
    influx: { url: store.url },
    database,
    retentionDays: 14,
    lagMs: () => 1500,
    log,
    intervalMs: 100,
    ...(queues ? { queues } : {}),
  });
  return { flow, reasons: () => lines.map(({ reason }) => reason) };
}

test('queues that are missing are named and the others sampled; when they appear they are sampled too', async () => {
  const database = store.database();
  const { flow, reasons } = flowTo(database);
  flow.start();
  await until(() => reasons().some((reason) => /no such queue: weir\.redis.*weir\.unrouted/.test(reason ?? '')));
  const directory = await temporaryDirectory();
  const publisher = createPublisher({
    url: broker.url,
    spoolDir: directory.path,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
  });
  await until(() => publisher.ready() === true);
  await publisher.publishAll([pull(), pull(), pull()]);
  const depth = `SELECT last("messages"), "consumers" FROM "queue" WHERE "queue" = '${queueOf('influx')}'`;
  await until(async () => (await store.query(database, depth))[0]?.values[0]?.[1] === 3);
  expect((await store.query(database, depth))[0]?.values[0]?.[2]).toBe(0);
  const [names] = await store.query(database, 'SHOW TAG VALUES FROM "queue" WITH KEY = "queue"');
  expect(names?.values.map(([, name]) => name)).toEqual([
    'weir.dead.influx', 'weir.dead.mongo', 'weir.dead.redis', 'weir.influx', 'weir.mongo', 'weir.redis', 'weir.unrouted',
  ]); // prettier-ignore
  expect((await store.query(database, 'SELECT last("lagMs") FROM "worker"'))[0]?.values[0]?.[1]).toBe(1500);
  const [policies] = await store.query(database, `SHOW RETENTION POLICIES ON "${database}"`);
  expect(policies?.values.map(([, duration]) => duration)).toEqual(['336h0m0s']);
  await flow.close();
  await publisher.close();
  await directory.remove();
});

test('one missing queue is said once, however often it is missing', async () => {
  const database = store.database();
  const { flow, reasons } = flowTo(database, ['weir.nope']);
  flow.start();
  await until(async () => {
    const [rows] = await store.query(database, 'SELECT "lagMs" FROM "worker"');
    return (rows?.values.length ?? 0) >= 3;
  });
  await flow.close();
  expect(reasons()).toEqual(['no such queue: weir.nope']);
});
