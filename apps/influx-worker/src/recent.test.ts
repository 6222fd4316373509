import { seriesOf } from './point';
import type { Series } from './point';
import { createRecent } from './recent';
import type { Candidate } from './recent';
import type { Server } from './server';
import type { Placement } from './slots';
import { openTestStore } from './store.test-support';
import type { TestStore } from './store.test-support';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store?.close());

const now = Math.floor(Date.now() / 1000) * 1000;
const DAY_MS = 24 * 3600 * 1000;
let events = 0;
/** An event so many milliseconds from now, different from every other. */
const at = (ms: number, measurement = 'pull', tags: Series['tags'] = []): Candidate => {
  events += 1;
  return {
    measurement,
    series: seriesNamed(measurement, tags),
    timeMs: now + ms,
    identity: `e${events}`,
    preferredSlot: (events * 7919) % 1_000_000,
    again: false,
  };
};
const named = new Map<string, Series>();
const seriesNamed = (measurement: string, tags: Series['tags']): Series => {
  const text = seriesOf(measurement, tags);
  const series = named.get(text) ?? { measurement, tags };
  named.set(text, series);
  return series;
};
const again = (event: Candidate): Candidate => ({ ...event, again: true });

/** A database of its own; `place` gives places and writes the points, as the worker does. */
async function open(options: { points?: number } = {}) {
  const database = store.database();
  const server = await store.server();
  await server.ensureDatabase(database);
  const asked: string[] = [];
  const listened: Server = {
    ...server,
    query(of, statements) {
      asked.push(statements);
      return server.query(of, statements);
    },
  };
  const recent = createRecent(database, options);
  const write = async (batch: readonly Candidate[], placements: readonly Placement[]): Promise<void> => {
    const lines = batch.flatMap(({ measurement, series, timeMs, identity }, index) => {
      const slot = placements[index];
      if (typeof slot !== 'number') return [];
      return [`${seriesOf(measurement, series.tags)} identity="${identity}" ${timeMs}${String(slot).padStart(6, '0')}`];
    });
    if (lines.length > 0) await server.write(database, lines);
  };
  const placeBy = async (by: ReturnType<typeof createRecent>, batch: readonly Candidate[]): Promise<Placement[]> => {
    const placements = await by.place(listened, batch);
    await write(batch, placements);
    return placements;
  };
  const another = createRecent(database);
  return {
    recent,
    place: (...batch: Candidate[]) => placeBy(recent, batch),
    /** Another instance writes. */
    async elsewhere(...batch: Candidate[]) {
      await placeBy(another, batch);
      another.forget();
    },
    query: (statement: string) => store.query(database, statement),
    points: () => store.points(database),
    /** What has been asked since the last call. */
    asked: () => asked.splice(0),
  };
}

const placed = [expect.any(Number)];
const stored = ['stored'];

test('the store is asked once for what is newest, and nothing about events that come as they happen', async () => {
  const { place, asked, points } = await open();
  await place(at(0), at(1));
  expect(asked()).toEqual([expect.stringContaining('ORDER BY time DESC')]);
  const repeated = at(5);
  await place(at(1), repeated, at(3));
  expect(await place(repeated)).toEqual(stored);
  await place(at(2));
  expect(asked()).toEqual([]);
  expect(await points()).toBe(6);
});

test('what was there before is known without another question', async () => {
  const { place, elsewhere, asked, points } = await open();
  const [before, between] = [at(-50), at(10)];
  await elsewhere(before, between);
  asked();
  await place(at(-100));
  expect(await place(before, between)).toEqual([...stored, ...stored]);
  expect(asked()).toHaveLength(1);
  expect(await points()).toBe(3);
});

test('two events that want one place share none, whether one is remembered or was found', async () => {
  const { place, elsewhere, points } = await open();
  const like = (event: Candidate) => ({ ...at(0), timeMs: event.timeMs, preferredSlot: event.preferredSlot });
  const [remembered, found] = [at(20), at(10)];
  await elsewhere(found);
  await place(at(0), remembered);
  expect(await place(like(remembered), like(found))).toEqual([remembered.preferredSlot + 1, found.preferredSlot + 1]);
  expect(await points()).toBe(5);
});

test('an event from before what is known is asked about', async () => {
  const { place, elsewhere, asked, points } = await open();
  const late = at(-1000);
  await elsewhere(late);
  await place(at(0));
  asked();
  expect(await place(late)).toEqual(stored);
  expect(asked()).toHaveLength(1);
  expect(await place(late, at(-2000))).toEqual([...stored, ...placed]);
  expect(await points()).toBe(3);
});

test('an event that comes again is asked about: its former writer may have been late', async () => {
  const { place, elsewhere, points } = await open();
  const taken = at(100);
  await place(at(0));
  await elsewhere(taken); // what was under way when this one began
  expect(await place(again(taken), at(101))).toEqual([...stored, ...placed]);
  expect(await points()).toBe(3);
});

test('an event that is replayed after somebody has deleted it is stored again', async () => {
  const { place, query, points } = await open();
  const deleted = at(5);
  await place(at(0), deleted, at(6));
  await query(`DELETE FROM pull WHERE time >= ${deleted.timeMs}000000 AND time <= ${deleted.timeMs}999999`);
  expect(await place(again(deleted))).toEqual(placed);
  expect(await place(again(deleted), deleted)).toEqual([...stored, ...stored]);
  expect(await points()).toBe(3);
});

test('after everything was forgotten it is asked anew what is newest', async () => {
  const { recent, place, elsewhere, points } = await open();
  const other = at(50);
  await place(at(0));
  await elsewhere(other);
  recent.forget();
  expect(await place(at(40), other)).toEqual([...placed, ...stored]);
  expect(await points()).toBe(3);
});

test('each measurement is asked about for itself, when its first event comes', async () => {
  const { place, elsewhere, asked, points } = await open();
  const check = at(30, 'check');
  await place(at(0), at(10));
  await elsewhere(check);
  asked();
  expect(await place(at(20), at(25, 'check'))).toEqual([...placed, ...placed]);
  expect(asked()).toEqual([expect.stringContaining('"check"')]);
  expect(await place(check, at(35, 'check'), at(36))).toEqual([...stored, ...placed, ...placed]);
  expect(asked()).toEqual([]);
  expect(await points()).toBe(7);
});

test.each(['is in the store', 'comes first', 'comes later'])(
  'an event of the far future that %s makes nothing of the present unknown',
  async (when) => {
    const { place, elsewhere, asked, points } = await open({ points: 100 });
    const future = at(100 * DAY_MS);
    if (when === 'is in the store') await elsewhere(future);
    if (when === 'comes first') await place(future);
    await place(at(10_000));
    if (when === 'comes later') await place(future);
    asked();
    for (let n = 1; n <= 10; n += 1) await place(...Array.from({ length: 30 }, (_, k) => at(10_000 + 30 * n + k)));
    expect(asked()).toEqual([]);
    expect(await place(future)).toEqual(stored);
    expect(await points()).toBe(302);
  },
);

test('what is remembered is bounded: of more than that the store is asked about the older half', async () => {
  const { place, asked, points } = await open({ points: 100 });
  const batches = Array.from({ length: 20 }, (_, n) => Array.from({ length: 30 }, (_event, k) => at(30 * n + k)));
  for (const batch of batches) await place(...batch);
  expect(asked()).toHaveLength(1);
  const [oldest, newest] = [batches[0], batches[19]] as [Candidate[], Candidate[]];
  expect(new Set(await place(...newest))).toEqual(new Set(stored));
  expect(asked()).toEqual([]);
  expect(new Set(await place(...oldest, ...newest))).toEqual(new Set(stored));
  expect(asked()).toHaveLength(1);
  // And what was asked is not remembered for known: another time it is asked again.
  await place(...oldest);
  expect(asked()).toHaveLength(1);
  expect(await points()).toBe(600);
});

test('what is forgotten of one measurement makes nothing known of another', async () => {
  const { place, points } = await open({ points: 100 });
  const check = at(10_000, 'check');
  await place(check);
  for (let n = 0; n < 6; n += 1) await place(...Array.from({ length: 30 }, (_, k) => at(30 * n + k)));
  expect(await place(check)).toEqual(stored);
  expect(await points()).toBe(181);
});

test('of very much that is later than the first event, the newest is known and the rest is asked about', async () => {
  const { recent, place, asked, points } = await open();
  const many = Array.from({ length: 12_000 }, (_, n) => at(n));
  await place(...many.slice(0, 5000));
  await place(...many.slice(5000, 10_000));
  await place(...many.slice(10_000));
  recent.forget();
  asked();
  expect(new Set(await place(...many.slice(0, 10), ...many.slice(1995, 2005), ...many.slice(11_990)))).toEqual(
    new Set(stored),
  );
  expect(asked()).toHaveLength(2);
  expect(await place(many[11_999] as Candidate)).toEqual(stored);
  expect(asked()).toEqual([]);
  expect(await points()).toBe(12_000);
}, 60_000);

test('a backfill of years ago is asked about, and not what has been newest since', async () => {
  const { place, elsewhere, asked, points } = await open();
  const old = Array.from({ length: 5 }, (_, n) => at(-n * 300 * DAY_MS - 20 * DAY_MS));
  await elsewhere(...old.slice(0, 3));
  asked();
  expect(await place(...old)).toEqual([...stored, ...stored, ...stored, ...placed, ...placed]);
  const [newest = '', ...rest] = asked();
  const since = Number(/time > (\d+)/.exec(newest)?.[1]) / 1e6;
  expect(since).toBeGreaterThan(Date.now() - 8 * DAY_MS);
  expect(rest).toHaveLength(1);
  expect(await points()).toBe(5);
});

describe('the store is asked about the source of an event', () => {
  const of = (source: string): Series['tags'] => [['client', 'docker'], ['source', source]]; // prettier-ignore

  test('and finds it, whatever its name is', async () => {
    const { place, elsewhere, asked, points } = await open();
    await place(at(0));
    asked();
    const hostile = ["o'neil", 'a"b', "' OR time > 0 --", '/\u00fc=, ;', 'acme.example'].map((each) => at(-50, 'pull', of(each))); // prettier-ignore
    await elsewhere(...hostile);
    asked();
    expect(await place(...hostile)).toEqual(hostile.map(() => 'stored'));
    expect(asked()).toHaveLength(1);
    expect(await points()).toBe(1 + hostile.length);
  });

  test('and finds it where its name was one too many then', async () => {
    const { place, elsewhere, points } = await open();
    const before = at(-50, 'pull', of('other'));
    await place(at(0));
    await elsewhere(before);
    const named = { ...before, series: seriesNamed('pull', of('acme.example')) };
    expect(await place(named, at(-51, 'pull', of('acme.example')))).toEqual([...stored, ...placed]);
    expect(await points()).toBe(3);
  });

  test('and finds it where its other tags are not those that it had', async () => {
    const { place, elsewhere, points } = await open();
    const before = at(-50, 'pull', [['organization', 'first.example'], ['source', 'gateway']]); // prettier-ignore
    await place(at(0));
    await elsewhere(before);
    const changed = { ...before, series: seriesNamed('pull', [['organization', 'thief.example'], ['source', 'gateway']]) }; // prettier-ignore
    expect(await place(changed)).toEqual(stored);
    expect(await points()).toBe(2);
  });

  test('and not about those of others: what they have at its time costs nothing', async () => {
    const { place, elsewhere, asked, points } = await open();
    const others = Array.from({ length: 5000 }, (_, n) => at(-5000 + n, 'pull', of('loud.example')));
    await place(at(0));
    await elsewhere(...others);
    asked();
    expect(await place(at(-5000, 'pull', of('late.example')), at(-1, 'pull', of('late.example')))).toEqual([
      ...placed,
      ...placed,
    ]);
    expect(asked()).toHaveLength(1);
    expect(await points()).toBe(5003);
  });
});
