import type { SentEvent } from './events';
import { makeEvent } from './events';
import { expectedKeys, expectedPoint } from './expected';
import { createJournal, type Stream } from './journal';
import { createOracle, type Stores, type Verdict } from './oracle';

const midnightMs = Date.UTC(2026, 10, 23);

/** Stores in memory that take events as Weir's would, and can be tampered with. */
function memory() {
  const keys = new Map<string, number>();
  const points: SentEvent[] = [];
  const documents: SentEvent[] = [];
  const counted = (events: readonly SentEvent[]) => {
    const counts = new Map<string, number>();
    for (const { source } of events) counts.set(source, (counts.get(source) ?? 0) + 1);
    return counts;
  };
  const of = (events: readonly SentEvent[], source: string) => events.filter((event) => event.source === source);
  const stores: Stores = {
    redis: {
      all: async () => new Map([...keys].map(([key, value]) => [key, String(value)])),
      get: async (key) => String(keys.get(key) ?? ''),
      close: () => {},
    },
    influx: {
      counts: async () => counted(points),
      count: async (source) => of(points, source).length,
      total: async () => points.length,
      async *of(source) {
        yield* of(points, source).map(expectedPoint);
      },
      async *query() {},
    },
    mongo: {
      counts: async () => counted(documents),
      count: async (source) => of(documents, source).length,
      total: async () => documents.length,
      async *of(source) {
        for (const event of of(documents, source)) yield { ...event };
      },
      close: async () => {},
    },
  };
  const take = (event: SentEvent): void => {
    for (const key of expectedKeys(event)) keys.set(key, (keys.get(key) ?? 0) + 1);
    points.push(event);
    documents.push(event);
  };
  return { keys, points, documents, stores, take };
}

function scene(events = 200) {
  const there = memory();
  const journal = createJournal();
  const stream = journal.open('/test', (number) => makeEvent({ seed: 1, source: '/test', number, midnightMs }));
  for (let number = 0; number < events; number += 1) {
    const event = stream.issue();
    stream.acknowledge(event);
    there.take(event);
  }
  const oracle = createOracle(journal, there.stores);
  return { ...there, journal, stream, oracle, judge: (streams: Stream[] = [stream]) => oracle.judge(streams) };
}

const clean = { lost: 0, duplicated: 0, unknown: 0, payloadDiffers: 0 };
const counts = ({ lost, duplicated, unknown, payloadDiffers }: Verdict) => ({
  lost,
  duplicated,
  unknown,
  payloadDiffers,
});
const usage = (stream: Stream, number: number) => expectedKeys(stream.event(number)).length > 0;

test('an event is the same whenever its seed, source and number are the same', () => {
  const origin = { seed: 5, source: '/a', number: 17, midnightMs };
  expect(makeEvent(origin)).toEqual(makeEvent(origin));
  expect(makeEvent({ ...origin, seed: 6 }).data).not.toEqual(makeEvent(origin).data);
});

test('stores that have everything once are in order', async () => {
  const { judge, oracle, stream } = scene();
  const verdict = await judge();
  expect(counts(verdict)).toEqual(clean);
  expect(verdict.applied).toEqual({ redis: stream.acknowledgedUsage, influx: 200, mongo: 200 });
  expect(await oracle.missing()).toEqual({ redis: 0, influx: 0, mongo: 0 });
});

test('what was acknowledged and is in no store is lost in each of them', async () => {
  const { judge, oracle, stream } = scene();
  let event = stream.issue();
  while (expectedKeys(event).length === 0) {
    event = stream.issue();
  }
  stream.acknowledge(event);
  expect(counts(await judge())).toEqual({ ...clean, lost: 3 });
  expect(await oracle.missing()).toEqual({ redis: 1, influx: 1, mongo: 1 });
});

test('what was issued and never acknowledged may be there or not', async () => {
  const { judge, stream, take } = scene();
  take(stream.issue());
  stream.issue();
  expect(counts(await judge())).toEqual(clean);
});

test('what was counted twice is found in each store', async () => {
  const { judge, stream, take } = scene();
  const number = Array.from({ length: 200 }, (_, at) => at).find((at) => usage(stream, at)) ?? 0;
  take(stream.event(number));
  expect(counts(await judge())).toEqual({ ...clean, duplicated: 3 });
});

test('one key that is off by one is found, though the days are right', async () => {
  const { judge, keys } = scene();
  const [key = ''] = [...keys.keys()].filter((name) => name.includes('/o/'));
  keys.set(key, (keys.get(key) ?? 0) - 1);
  expect(counts(await judge())).toEqual({ ...clean, lost: 1 });
  keys.set(key, (keys.get(key) ?? 0) + 2);
  expect(counts(await judge())).toEqual({ ...clean, duplicated: 1 });
});

test('what nobody issued is unknown: a key, a point, a document, an id of another seed', async () => {
  const { judge, keys, points, documents, stream } = scene();
  keys.set('pulls/o/nobody', 1);
  points.push(makeEvent({ seed: 1, source: '/other', number: 0, midnightMs }));
  documents.push(makeEvent({ seed: 1, source: '/other', number: 0, midnightMs }));
  documents.push({ ...stream.event(3), id: '3-beef' });
  expect(counts(await judge())).toEqual({ ...clean, unknown: 4 });
});

test('what ingest says of itself is not what somebody else has sent', async () => {
  const { judge, points, documents } = scene();
  const event = { ...makeEvent({ seed: 1, source: 'weir/ingest', number: 0, midnightMs }), type: 'io.weir.outage' };
  points.push(event);
  documents.push(event);
  expect(counts(await judge())).toEqual(clean);
});

test('a point or a document that is not as it was sent differs', async () => {
  const { judge, points, documents } = scene();
  points[4] = { ...(points[4] as SentEvent), data: { ...points[4]?.data, repository: 'another' } };
  documents[5] = { ...(documents[5] as SentEvent), data: { ...documents[5]?.data, note: 'another' } };
  expect(counts(await judge())).toEqual({ ...clean, payloadDiffers: 2 });
});

test('what was judged before is still held to its number', async () => {
  const { judge, journal, points, documents, take } = scene();
  const next = journal.open('/next', (number) => makeEvent({ seed: 1, source: '/next', number, midnightMs }));
  const event = next.issue();
  next.acknowledge(event);
  take(event);
  expect(counts(await judge([next]))).toEqual(clean);
  documents.shift();
  points.push(points[0] as SentEvent);
  expect(counts(await judge([next]))).toEqual({ ...clean, lost: 1, duplicated: 1 });
});
