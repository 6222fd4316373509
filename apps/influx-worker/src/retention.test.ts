import { otherRetention } from './retention';
import { openTestStore, pull } from './store.test-support';
import type { TestStore } from './store.test-support';

// S52 of the reliability reference, part B.

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store?.close());

const retentionOf = async (database: string) => {
  const [policies] = await store.query(database, `SHOW RETENTION POLICIES ON "${database}"`);
  return policies?.values.map(([name, duration]) => [name, duration]);
};
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

test.each([
  ['INFLUX_RETENTION_DAYS', { INFLUX_RETENTION_DAYS: '90' }, '2160h0m0s'],
  ['nothing', {}, '0s'],
])('a database that the worker makes keeps its points as %s says', async (_what, env, duration) => {
  const database = store.database();
  await store.worker(database, env).connect();
  expect(await retentionOf(database)).toEqual([['autogen', duration]]);
});

test('a database that is there keeps what it has, however short the retention that is configured', async () => {
  const database = store.database();
  const first = store.worker(database);
  await first.connect();
  expect(await first.write([pull({}, daysAgo(400))])).toEqual([]);
  const second = store.worker(database, { INFLUX_RETENTION_DAYS: '7' });
  await second.connect();
  expect(await second.write([pull({}, daysAgo(300)), pull()])).toEqual([]);
  expect(await retentionOf(database)).toEqual([['autogen', '0s']]);
  expect(await store.points(database)).toBe(3);
});

test('people are told how to change it, in a statement that does', async () => {
  const database = store.database();
  await store.worker(database, { INFLUX_RETENTION_DAYS: '30' }).connect();
  const server = await store.server();
  expect(await otherRetention(server, database, 30)).toBeUndefined();
  expect(await otherRetention(server, database, 0)).toBeUndefined();
  const told = await otherRetention(server, database, 90);
  expect(told).toContain('keeps its points for 30 days, INFLUX_RETENTION_DAYS is 90: nothing was changed');
  await store.query('', /ALTER .*$/.exec(told ?? '')?.[0] ?? 'no statement');
  expect(await retentionOf(database)).toEqual([['autogen', '2160h0m0s']]);
  expect(await otherRetention(server, database, 90)).toBeUndefined();
});

test('who may not ask, or asks 2.x, is told so, and the worker goes on', async () => {
  const server = await store.server();
  expect(await otherRetention(server, 'not there', 90)).toContain('could not be asked');
  expect(await otherRetention({ ...server, major: 2 }, 'weir', 90)).toContain('influx bucket update --id <id> --retention 2160h'); // prettier-ignore
  expect(await otherRetention({ ...server, major: 3 }, 'weir', 90)).toContain(
    "set the retention of 'weir' on the server",
  );
});
