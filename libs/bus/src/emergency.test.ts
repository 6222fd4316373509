import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WeirEvent } from '@weir/events';
import { temporaryDirectory } from '@weir/testing';
import pino from 'pino';
import { createEmergency, SHORTEST_MS, type Emergency } from './emergency';
import { episodeFile } from './episode-file';
import { fileSystem, type FileSystem } from './spool-disk';

/** An emergency on a disk whose calls can be made to hang for ever, as those of a process do that has died. */
const log = pino({ level: 'silent' });
const START = Date.parse('2026-11-20T10:00:00Z');
const EMPTY = { events: 0, since: undefined };
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let clock: number;
let published: WeirEvent[];

beforeEach(async () => {
  root = await temporaryDirectory();
  clock = START;
  published = [];
});
afterEach(() => root.remove());

const emergencyOf = (publish: (event: WeirEvent) => Promise<void>, fs: FileSystem = fileSystem): Emergency =>
  createEmergency({
    source: 'weir/ingest',
    file: episodeFile(root.path, fs),
    publish,
    log,
    shortestMs: SHORTEST_MS,
    now: () => clock,
  });

/** @param last after so many calls, to the disk and to the bus, it dies in the next one */
function start({
  last = Infinity,
  left = EMPTY,
}: { last?: number; left?: { events: number; since: number | undefined } } = {}) {
  let calls = 0;
  let die = (_: void): void => {};
  const died = new Promise<void>((resolve) => (die = resolve));
  const living = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    return calls > last ? new Promise<T>(() => die()) : work();
  };
  const fs: FileSystem = {
    ...fileSystem,
    open: (...args) => living(() => fileSystem.open(...args)),
    unlink: (...args) => living(() => fileSystem.unlink(...args)),
    rename: (...args) => living(() => fileSystem.rename(...args)),
  };
  const emergency = emergencyOf((event) => living(async () => void published.push(event)), fs);
  const begun = emergency.begin(left);
  return { emergency, begun, died, calls: () => calls };
}

const files = () => readdir(root.path);
/** What was told, each identity once; the same identity must always have said the same. */
function told(): Record<string, unknown>[] {
  const known = new Map<string, WeirEvent>();
  for (const event of published) {
    expect(known.get(event.id) ?? event).toEqual(event);
    known.set(event.id, event);
  }
  return [...known.values()].map(({ id, source, type, time, data }) => ({
    source, type, time, ...data, outage: id === `${String(data['outage'])}-${String(data['state'])}` ? 'its own' : id,
  })).sort((a, b) => a.time.localeCompare(b.time)); // prettier-ignore
}
const pair = (since: number, until: number, events: number) =>
  ([['down', since], ['up', until]] as const).map(([state, time]) => ({
    source: 'weir/ingest', type: 'io.weir.outage', service: 'weir/ingest', reason: 'spooled', outage: 'its own', events, state,
    time: new Date(time).toISOString(),
  })); // prettier-ignore

test('what was spooled for a minute is told of once, from the first event to the end of the drain', async () => {
  const { emergency, begun } = start();
  await begun;
  for (let n = 0; n < 100; n += 1) emergency.spooled(1);
  clock += SHORTEST_MS;
  emergency.drained();
  emergency.drained();
  await emergency.close();
  expect(told()).toEqual(pair(START, clock, 100));
  expect(published.map(({ data }) => data['state'])).toEqual(['up', 'down']);
  expect(await files()).toEqual([]);
});

test('what is over sooner is told of by nobody, and leaves the disk alone', async () => {
  const { emergency, begun, calls } = start();
  await begun;
  const before = calls();
  for (let n = 0; n < 100; n += 1) {
    emergency.spooled(1);
    clock += SHORTEST_MS - 1;
    emergency.drained();
  }
  await emergency.close();
  expect([published, calls() - before]).toEqual([[], 0]);
});

test('one that outlives the process goes on in the next one', async () => {
  const first = start();
  await first.begun;
  first.emergency.spooled(1);
  await first.emergency.close();
  clock += 3_600_000;
  const second = start({ left: { events: 1, since: clock - 1000 } });
  await second.begun;
  second.emergency.spooled(1);
  second.emergency.drained();
  await second.emergency.close();
  expect(told()).toEqual(pair(START, clock, 2));
});

test('one of which nothing is written down began with the oldest event that is left', async () => {
  for (const written of [undefined, 'not JSON', '{"ended":[{"id":7}]}', '{"open":{"id":"x"},"ended":[]}']) {
    published = [];
    if (written !== undefined) await writeFile(join(root.path, 'episodes'), written);
    const { emergency, begun } = start({ left: { events: 7, since: clock - 2 * SHORTEST_MS + 0.5 } });
    await begun;
    emergency.drained();
    await emergency.close();
    expect(told()).toEqual(pair(clock - 2 * SHORTEST_MS, clock, 7));
  }
});

test('what neither broker nor spool took is told when the spool has been drained again', async () => {
  let refuse = true;
  const emergency = emergencyOf(async (event) => {
    if (refuse && event.data['state'] === 'down') throw new Error('The spool is full');
    published.push(event);
  });
  await emergency.begin(EMPTY);
  emergency.spooled(1);
  clock += SHORTEST_MS;
  const until = clock;
  emergency.drained();
  await emergency.close();
  expect(await files()).toEqual(['episodes']);
  refuse = false;
  clock += SHORTEST_MS;
  const next = start();
  await next.begun;
  next.emergency.drained();
  await next.emergency.close();
  expect(told()).toEqual(pair(START, until, 1));
  expect(await files()).toEqual([]);
});

test('an emergency whose report has to wait in the spool is the beginning of another one', async () => {
  const emergency: Emergency = emergencyOf(async (event) => {
    published.push(event);
    if (published.length <= 2) emergency.spooled(1);
  });
  await emergency.begin(EMPTY);
  emergency.spooled(1);
  clock += SHORTEST_MS;
  emergency.drained();
  await emergency.close();
  clock += SHORTEST_MS;
  const next = start({ left: { events: 2, since: clock } });
  await next.begun;
  next.emergency.drained();
  await next.emergency.close();
  expect(told()).toEqual([
    ...pair(START, START + SHORTEST_MS, 1),
    ...pair(START + SHORTEST_MS, START + 2 * SHORTEST_MS, 2),
  ].sort((a, b) => a.time.localeCompare(b.time))); // prettier-ignore
  expect(await files()).toEqual([]);
});

test('killed at any of its calls, it tells of one emergency, always the same', async () => {
  let last = 0;
  for (let over = false; !over; last += 1) {
    published = [];
    clock = START;
    const before = start();
    await before.begun;
    before.emergency.spooled(1);
    await before.emergency.close();

    clock = START + SHORTEST_MS;
    const killed = start({ last, left: { events: 1, since: START } });
    const life = async () => {
      await killed.begun;
      killed.emergency.drained();
      await killed.emergency.close();
    };
    over = (await Promise.race([life().then(() => 'over'), killed.died])) === 'over';
    const goesOn = (await readFile(join(root.path, 'episodes'), 'utf8').catch(() => '')).includes('"open"');
    if (goesOn) expect(published).toEqual([]);

    clock = START + 2 * SHORTEST_MS; // and the spool was empty already
    const next = start();
    await next.begun;
    next.emergency.drained();
    await next.emergency.close();
    expect([last, told()]).toEqual([last, pair(START, START + (goesOn ? 2 : 1) * SHORTEST_MS, 1)]);
    expect(await files()).toEqual([]);
  }
  expect(last).toBeGreaterThan(10);
}, 60_000);
