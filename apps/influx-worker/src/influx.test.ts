import { createEvent, catalogue } from '@weir/events';
import type { WeirEvent } from '@weir/events';
import { openTestStore, pull } from './store.test-support';
import type { TestStore } from './store.test-support';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store?.close());

test('a probe asks the database itself, leaves nothing in it, and fails when it is not there', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  await worker.write([pull()]);
  const before = await series(database);
  await worker.probe?.();
  expect(await series(database)).toEqual(before);
  expect(await store.points(database)).toBe(1);
  await store.query('', `DROP DATABASE "${database}"`);
  await expect(worker.probe?.()).rejects.toThrow(/database/);
  await worker.probe?.(); // connects anew, which makes the database
});

const series = (database: string) => store.query(database, 'SHOW SERIES');

test('every kind of the catalogue, and any other type, becomes one point', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  const events = catalogue.map(({ type, example }) => createEvent(type, example, { source: 'test' }));
  const others = [1, 2].map(() =>
    createEvent('com.example.made.up', { bytes: 'many', healthy: 3 }, { source: 'test' }),
  );
  expect(await worker.write([...events, ...others])).toEqual([]);
  expect(await store.points(database)).toBe(events.length + 2);
  const other = await store.query(database, 'SELECT * FROM other');
  expect(other[0]?.values).toHaveLength(2);
  expect(other[0]?.columns).toEqual(['time', 'id', 'identity', 'source', 'type']);
});

test('100,000 different events of one series in one millisecond are 100,000 points, delivered again or not', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  const events = Array.from({ length: 100_000 }, () => pull());
  for (const batch of batches(events)) expect(await worker.write(batch)).toEqual([]);
  expect(await store.points(database)).toBe(100_000);
  expect((await series(database))[0]?.values).toHaveLength(1);

  const again = store.worker(database);
  await again.connect();
  const reversed = [...events].reverse();
  for (const batch of batches([...reversed.slice(0, 17_000), ...events.slice(0, 500), pull(), pull()]))
    await again.write(batch);
  expect(await store.points(database)).toBe(100_002);
}, 180_000);

test('a batch gets no place that was given out to the one before it', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  // So many in one millisecond that some two dozen of the second want a place that the first gets.
  const events = Array.from({ length: 10_000 }, () => pull());
  const [first, second] = [events.slice(0, 5000), events.slice(4500)];
  expect(await Promise.all([worker.write(first), worker.write(second)])).toEqual([[], []]);
  expect(await store.points(database)).toBe(10_000);
}, 60_000);

test('a batch whose answer never came is stored once when it comes again in other company', async () => {
  const database = store.database();
  const events = Array.from({ length: 3000 }, (_, n) => pull({}, `2026-11-23T06:54:00.00${n % 3}Z`));
  const killed = store.worker(database);
  await killed.connect();
  await killed.write(events.slice(0, 2000));
  const next = store.worker(database);
  await next.connect();
  await next.write([...events.slice(1500), ...events.slice(1900, 2100)]);
  await next.write(events.slice(0, 1600));
  expect(await store.points(database)).toBe(3000);
});

test('an instance that takes over knows what the one before it has written, however long it has stood by', async () => {
  const database = store.database();
  const [one, other] = [store.worker(database), store.worker(database)];
  await one.connect();
  await other.connect();
  const events = Array.from({ length: 40 }, (_, n) => pull({}, new Date(Date.now() + n).toISOString()));
  await one.write(events.slice(0, 20));
  other.takesOver?.();
  await other.write(events.slice(10, 30)); // published twice, and delivered for the first time
  one.takesOver?.();
  await one.write(events.slice(5, 40));
  expect(await store.points(database)).toBe(40);
});

test('after a pause a worker does not rely on having been the only one', async () => {
  const database = store.database();
  const [one, other] = [store.worker(database), store.worker(database)];
  await one.connect();
  await other.connect();
  const events = Array.from({ length: 30 }, (_, n) => pull({}, new Date(Date.now() + n).toISOString()));
  await one.write(events.slice(0, 10));
  await other.write(events.slice(10, 20));
  const later = performance.now() + 1001;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => later);
  try {
    await one.write(events);
  } finally {
    clock.mockRestore();
  }
  expect(await store.points(database)).toBe(30);
});

test('events scattered over years among many others are found again', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  const crowd = Array.from({ length: 20_000 }, (_, n) =>
    pull({}, new Date(Date.UTC(2024, 5, 1) + n * 50).toISOString()),
  );
  for (const batch of batches(crowd)) await worker.write(batch);
  const scattered = Array.from({ length: 60 }, (_, n) =>
    pull({}, new Date(Date.UTC(2020, n, 1 + (n % 28))).toISOString()),
  );
  await worker.write(scattered);
  await worker.write([...scattered, ...crowd.slice(9_000, 9_300), crowd[0] as WeirEvent, crowd[19_999] as WeirEvent]);
  expect(await store.points(database)).toBe(20_060);
});

test('whatever is in a text, it is one point, and fields hold it to the letter', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  const nasty = [
    '\n',
    'a\npull,x=y bytes=1 1',
    'end\\',
    '\\',
    '\\\\"',
    '"',
    'a,b=c d',
    '#',
    ' ',
    'é\u{1f40b}',
    '\ud800',
    "'; DROP",
    'x\\,y',
    'tab\there',
    '\r\n',
    '=',
    ',',
  ];
  const events = nasty.map((text) =>
    pull({ repository: text, resource: text, client: { name: text, version: text }, user: { organization: text } }),
  );
  const types = nasty.map((text) => ({ ...pull({ service: text, action: text }), type: `x${text}`, source: text }));
  expect(await worker.write([...events, ...types])).toEqual([]);
  expect(await store.points(database)).toBe(nasty.length * 2);
  const measurements = await store.query(database, 'SHOW MEASUREMENTS');
  expect(measurements[0]?.values).toEqual([['other'], ['pull']]);
  const [rows] = await store.query(database, 'SELECT "repository", "id" FROM pull');
  const stored = new Map(rows?.values.map(([, repository, id]) => [id, repository]));
  expect(events.map(({ id }) => stored.get(id))).toEqual(nasty.map((text) => (text === '\ud800' ? '\ufffd' : text)));
});

test('no event can start a conflict of types', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  const odd: unknown[] = [1, 1.5, '1', true, null, [1], { a: 1 }, NaN, 1e300];
  const events = odd.map((value) => ({
    ...createEvent('x', { bytes: value, durationMs: value, healthy: value, repository: value, client: value, platform: value, platforms: value, user: value, fusion: value }, { source: 'test' }),
  })); // prettier-ignore
  expect(await worker.write(events)).toEqual([]);
  expect(await store.points(database)).toBe(odd.length);
});

test('a line that InfluxDB refuses is given back with its words, and the rest is stored once', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  // Somebody else wrote into our database, into the same shard, with a type of their own.
  await (await store.server()).write(database, [`scan_finished bytes="many" ${Date.now()}000000`]);
  const bad = createEvent(
    'io.weir.scan.finished',
    { repository: 'a', outcome: 'failed', bytes: 1 },
    { source: 'test' },
  );
  const events = Array.from({ length: 1000 }, () => pull());
  const refused = await worker.write([...events.slice(0, 400), bad, ...events.slice(400)]);
  expect(refused).toEqual([{ event: bad, reason: expect.stringContaining('field type conflict') as string }]);
  expect(await store.points(database)).toBe(1000);
  // And it is not taken for stored when it comes again, after somebody has mended that.
  await store.query(database, 'DROP MEASUREMENT scan_finished');
  expect(await worker.write([bad, ...events.slice(0, 10)])).toEqual([]);
  expect(await store.points(database)).toBe(1001);
});

test('events older than the retention of the database are given back', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  await store.query('', `ALTER RETENTION POLICY autogen ON "${database}" DURATION 7d`);
  const old = Array.from({ length: 20 }, () => pull({}, '2020-01-01T00:00:00.000Z'));
  const fresh = Array.from({ length: 20 }, () => pull({}, new Date().toISOString()));
  const refused = await worker.write([...old, ...fresh]);
  expect(new Set((refused ?? []).map(({ event }) => event))).toEqual(new Set(old));
  expect(refused?.[0]?.reason).toContain('retention');
  expect(await store.points(database)).toBe(20);
});

test('a tag that anyone can fill stops at its limit, and a restarted worker decides as before', async () => {
  const database = store.database();
  const env = { INFLUX_TAG_VALUES: '5' };
  const worker = store.worker(database, env);
  await worker.connect();
  const of = (n: number) => pull({ user: { organization: `org-${n}` } });
  await worker.write(Array.from({ length: 20 }, (_, n) => of(n)));
  const restarted = store.worker(database, env);
  await restarted.connect();
  await restarted.write(Array.from({ length: 20 }, (_, n) => of(19 - n)));
  const [values] = await store.query(database, 'SHOW TAG VALUES WITH KEY = "organization"');
  expect(values?.values.map(([, value]) => value)).toEqual(['org-0', 'org-1', 'org-2', 'org-3', 'org-4', 'other']);
  const [rows] = await store.query(database, `SELECT count("identity") FROM pull WHERE organization = 'other'`);
  expect(rows?.values[0]?.[1]).toBe(30);
  expect(await store.points(database)).toBe(40);
});

test('the number of series stops at its limit', async () => {
  const database = store.database();
  const env = { INFLUX_SERIES: '10' };
  for (const part of [0, 1]) {
    const worker = store.worker(database, env);
    await worker.connect();
    const events = Array.from({ length: 30 }, (_, n) =>
      pull({ user: { organization: `org-${n + part}` }, client: { name: `c${n % 7}` } }),
    );
    await worker.write(events);
  }
  expect((await series(database))[0]?.values).toHaveLength(11);
  expect(await store.points(database)).toBe(60);
});

test('a user who may read and write the database, and nothing else, is enough', async () => {
  const database = store.database();
  const url = new URL(store.url);
  [url.username, url.password] = [database, 'its-own'];
  await store.query(
    '',
    `CREATE DATABASE "${database}"; CREATE USER "${database}" WITH PASSWORD 'its-own'; GRANT ALL ON "${database}" TO "${database}"`,
  );
  const worker = store.worker(database, { INFLUX_URL: url.href });
  await worker.connect();
  expect(await worker.write([pull(), pull()])).toEqual([]);
  expect(await store.points(database)).toBe(2);
  const elsewhere = store.worker(store.database(), { INFLUX_URL: url.href });
  await expect(elsewhere.connect()).rejects.toThrow(/refuses the credentials .*403/);
  await store.query('', `DROP USER "${database}"`);
});

test('a database that disappears is made again', async () => {
  const database = store.database();
  const worker = store.worker(database);
  await worker.connect();
  const events = [pull(), pull()];
  await worker.write(events);
  await store.query('', `DROP DATABASE "${database}"`);
  await expect(worker.write([pull()])).rejects.toThrow(/has no 'weir_test_/);
  await worker.write([...events, pull()]); // what was in it may be restored, or replayed
  expect(await store.points(database)).toBe(3);
});

function batches(events: readonly WeirEvent[], size = 5000): WeirEvent[][] {
  const cut: WeirEvent[][] = [];
  for (let from = 0; from < events.length; from += size) cut.push(events.slice(from, from + size));
  return cut;
}
