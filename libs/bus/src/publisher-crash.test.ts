import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import type { WeirEvent } from '@weir/events';
import { isolated, temporaryDirectory, until, type Isolated } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createPublisher, declareTopology, queueOf } from './index';
import { randomFrom } from './spool-power-cut.test-support';

jest.setTimeout(180_000); // many processes, one after the other

/** kill -9 of a process that publishes, spools and drains at once, with a real broker. */
const source = join(__dirname, '../../testing/src/source.js');
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: Isolated;
let connection: ChannelModel;
let channel: Channel;
let child: ChildProcess | undefined;

beforeEach(async () => {
  root = await temporaryDirectory();
  broker = await isolated.amqp();
  connection = await connect(broker.url);
  channel = await connection.createChannel();
  await declareTopology(channel);
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await connection.close();
  await broker.remove();
  await root.remove();
});

function start(seed: number) {
  const plan = JSON.stringify({ url: broker.url, spoolDir: join(root.path, 'spool'), seed });
  const args = ['--conditions=@weir/source', '--require', source, join(__dirname, 'publisher-crash.fixture.ts'), plan];
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  let output = '';
  started.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(started, 'close') as Promise<[number | null, string | null]>;
  const lines = () => output.split('\n').slice(0, -1);
  const ids = () => lines().map((line) => line.split(' ')[1] ?? '');
  return { child: started, ended, lines, ids };
}

/** Every event in the queue of a worker, as often as it is there. */
async function take(): Promise<WeirEvent[]> {
  const events: WeirEvent[] = [];
  for (;;) {
    const message = await channel.get(queueOf('redis'), { noAck: true });
    if (!message) return events;
    events.push(JSON.parse(message.content.toString()) as WeirEvent);
  }
}

const idsOf = (events: readonly WeirEvent[]) => new Set(events.map(({ id }) => id));

/** Every emergency has been told of from its beginning to its end; one that was told twice was the same both times. */
function expectWholeEmergencies(events: readonly WeirEvent[]): void {
  const told = new Map<string, WeirEvent>();
  for (const event of events.filter(({ type }) => type === 'io.weir.outage')) {
    expect(told.get(event.id) ?? event).toEqual(event);
    told.set(event.id, event);
  }
  const of = (state: string) =>
    [...told.values()].filter(({ data }) => data['state'] === state).map(({ data }) => data['outage']);
  expect(of('down').length).toBeGreaterThan(0);
  expect(of('down').sort()).toEqual(of('up').sort());
}

/** Everything that has come, once all that was left is sent and told. */
async function drained(): Promise<WeirEvent[]> {
  const log = pino({ level: 'silent' });
  const spoolDir = join(root.path, 'spool');
  const publisher = createPublisher({
    url: broker.url,
    spoolDir,
    log,
    metrics: new Registry(),
    source: 'crash',
    emergencyMs: 0,
  });
  const events: WeirEvent[] = [];
  await until(async () => {
    events.push(...(await take()));
    // An emergency is written down a moment after the spool has run dry: that there is no file says nothing before.
    const isTold = events.some(({ type }) => type === 'io.weir.outage');
    const isEmpty = publisher.ready() === true && publisher.owning() === true && publisher.depth().spooledEvents === 0;
    return isTold && isEmpty && !(await readdir(spoolDir)).includes('episodes');
  });
  await publisher.close();
  return [...events, ...(await take())];
}

test('killed at any moment, between confirm and removal too, it loses nothing that was acknowledged', async () => {
  const random = randomFrom(11);
  const acknowledged: string[] = [];
  const outcomes = new Set<string>();
  for (let round = 0; round < 6; round += 1) {
    const process = start(round);
    const enough = 1 + Math.floor(random() * 500);
    await until(() => process.ids().length >= enough && process.lines().some((line) => line.startsWith('confirmed')));
    process.child.kill('SIGKILL');
    expect(await process.ended).toEqual([null, 'SIGKILL']);
    acknowledged.push(...process.ids());
    for (const line of process.lines()) outcomes.add(line.split(' ')[0] ?? '');
  }
  const events = await drained();
  const found = idsOf(events);
  expectWholeEmergencies(events);
  expect(outcomes).toEqual(new Set(['confirmed', 'spooled']));
  expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
});

test('SIGTERM in the middle of it: the exit code is 0, and what was acknowledged is in the broker or in the spool', async () => {
  const process = start(1);
  await until(() => process.ids().length >= 200);
  process.child.kill('SIGTERM');
  expect(await process.ended).toEqual([0, null]);
  const events = await drained();
  const found = idsOf(events);
  expectWholeEmergencies(events);
  expect(process.ids().filter((id) => !found.has(id))).toEqual([]);
});
