import { isDeepStrictEqual } from 'node:util';
import { expectedPoint, isDayKey } from './expected';
import type { Journal, Stream } from './journal';
import { numberOf } from './journal';
import type { Points, StoredPoint } from './stores/influx';
import type { Documents } from './stores/mongo';
import type { UsageKeys } from './stores/redis';

/** The three stores, read past every proxy. */
export interface Stores {
  redis: UsageKeys;
  influx: Points;
  mongo: Documents;
}

export type StoreName = keyof Stores;
export const STORE_NAMES: readonly StoreName[] = ['redis', 'influx', 'mongo'];

/** What the oracle says after the faults have stopped (reference reliability A.9, and Jepsen's `total-queue`). */
export interface Verdict {
  /** Of the streams in question: Redis by its day keys, the others by identities. */
  applied: Record<StoreName, number>;
  /** Acknowledged but missing, over all stores. */
  lost: number;
  /** There more often than once, over all stores. */
  duplicated: number;
  /** There though nobody ever issued it. */
  unknown: number;
  /** There, but not as it was sent. */
  payloadDiffers: number;
  /** The first of each of these, in words. */
  findings: string[];
}

export interface Oracle {
  /** How many events the stores lack, by numbers alone: cheap, and no more than a hint that judging may be worth it. */
  missing(): Promise<Record<StoreName, number>>;
  /** Looks at everything of these streams, and at the number of everything else. */
  judge(streams: readonly Stream[]): Promise<Verdict>;
}

const MAX_FINDINGS = 12;
/** Ingest's own reports, of an emergency of a minute or more: how many depends on how long the faults last. */
const INGEST = 'weir/ingest';

export function createOracle(journal: Journal, stores: Stores): Oracle {
  const all = () => [...journal.streams.values()];
  const sumOf = (streams: readonly Stream[], of: 'acknowledged' | 'acknowledgedUsage') =>
    streams.reduce((sum, stream) => sum + stream[of], 0);

  return {
    async missing() {
      const [keys, points, documents] = await Promise.all([
        stores.redis.all(),
        stores.influx.total(),
        stores.mongo.total(),
      ]);
      return {
        redis: Math.max(0, sumOf(all(), 'acknowledgedUsage') - usageIn(keys)),
        influx: Math.max(0, sumOf(all(), 'acknowledged') - points),
        mongo: Math.max(0, sumOf(all(), 'acknowledged') - documents),
      };
    },

    async judge(streams) {
      const tally = createTally();
      await judgeKeys(tally, journal, await stores.redis.all());
      const others = all().filter((stream) => !streams.includes(stream));
      tally.applied.redis -= sumOf(others, 'acknowledgedUsage');
      for (const stream of streams) {
        await judgeIdentities(tally, 'influx', stream, pointsOf(stores.influx, stream));
        await judgeIdentities(tally, 'mongo', stream, documentsOf(stores.mongo, stream));
      }
      judgeCounts(tally, 'influx', journal, streams, await stores.influx.counts());
      judgeCounts(tally, 'mongo', journal, streams, await stores.mongo.counts());
      return tally;
    },
  };
}

type Tally = Verdict & {
  find(kind: 'lost' | 'duplicated' | 'unknown' | 'payloadDiffers', count: number, what: string): void;
};

function createTally(): Tally {
  const found = new Map<string, number>();
  const tally: Tally = {
    applied: { redis: 0, influx: 0, mongo: 0 },
    lost: 0,
    duplicated: 0,
    unknown: 0,
    payloadDiffers: 0,
    findings: [],
    find(kind, count, what) {
      tally[kind] += count;
      const already = found.get(kind) ?? 0;
      found.set(kind, already + 1);
      if (already < 3 && tally.findings.length < MAX_FINDINGS) tally.findings.push(`${kind}: ${what}`);
    },
  };
  return tally;
}

function usageIn(keys: ReadonlyMap<string, string | null>): number {
  return [...keys].reduce((sum, [key, value]) => sum + (isDayKey(key) ? Number(value ?? 0) : 0), 0);
}

/**
 * Every key: its value equals the number of unique acknowledged identities that map to it (what was issued and never
 * acknowledged may be in it, too). An event adds to one day key and up to six others, so that events are counted by the
 * day keys, and another key by how much more it is off than they are.
 */
async function judgeKeys(tally: Tally, journal: Journal, keys: ReadonlyMap<string, string | null>): Promise<void> {
  tally.applied.redis = usageIn(keys);
  const off = { lost: { days: 0, worst: 0, what: '' }, duplicated: { days: 0, worst: 0, what: '' } };
  for (const [key, { must, may }] of journal.keys) {
    const value = Number(keys.get(key) ?? 0);
    const kind = value < must ? 'lost' : value > must + may ? 'duplicated' : undefined;
    if (Number.isNaN(value)) tally.find('unknown', 1, `Redis ${key} holds ${keys.get(key)}`);
    if (kind === undefined) continue;
    const by = kind === 'lost' ? must - value : value - must - may;
    if (isDayKey(key)) off[kind].days += by;
    off[kind].worst = Math.max(off[kind].worst, by);
    off[kind].what ||= `Redis ${key} is ${value}, not ${must}${may > 0 ? ` to ${must + may}` : ''}`;
  }
  for (const kind of ['lost', 'duplicated'] as const) {
    const { days, worst, what } = off[kind];
    if (worst > 0) tally.find(kind, Math.max(days, worst), what);
  }
  for (const [key, value] of keys) {
    if (!journal.keys.has(key)) tally.find('unknown', Number(value) || 1, `Redis has ${key} = ${value}`);
  }
}

/** What a store says of one stored event: which it is, and what about it is not as it was sent. */
interface Found {
  id: string;
  differs: string | undefined;
}

async function judgeIdentities(
  tally: Tally,
  store: 'influx' | 'mongo',
  stream: Stream,
  stored: AsyncIterable<Found>,
): Promise<void> {
  const seen = new Set<number>();
  for await (const { id, differs } of stored) {
    const number = numberOf({ id });
    if (!(number < stream.issued) || stream.event(number).id !== id) {
      tally.find('unknown', 1, `${store} has ${stream.source} ${id}`);
      continue;
    }
    if (seen.has(number)) tally.find('duplicated', 1, `${store} has ${stream.source} ${id} twice`);
    seen.add(number);
    if (differs !== undefined) tally.find('payloadDiffers', 1, `${store}, ${stream.source} ${id}: ${differs}`);
  }
  tally.applied[store] += seen.size;
  for (let number = 0; number < stream.issued; number += 1) {
    if (seen.has(number) || stream.acknowledgedAt(number) === undefined) continue;
    tally.find('lost', 1, `${store} misses ${stream.source} ${stream.event(number).id}`);
  }
}

async function* pointsOf(influx: Points, stream: Stream): AsyncIterable<Found> {
  for await (const point of influx.of(stream.source)) {
    const id = String(point.columns['id']);
    yield { id, differs: differenceOfPoint(point, stream) };
  }
}

function differenceOfPoint({ measurement, timeMs, columns }: StoredPoint, stream: Stream): string | undefined {
  const number = numberOf({ id: String(columns['id']) });
  if (!(number < stream.issued)) return undefined;
  const expected = expectedPoint(stream.event(number));
  if (measurement !== expected.measurement) return `in ${measurement}, not ${expected.measurement}`;
  if (Math.floor(timeMs) !== expected.timeMs) return `at ${timeMs}, not ${expected.timeMs}`;
  for (const [name, value] of Object.entries(expected.columns)) {
    const found = columns[name] ?? null;
    if (found !== value) return `${name} is ${JSON.stringify(found)}, not ${JSON.stringify(value)}`;
  }
  return undefined;
}

async function* documentsOf(mongo: Documents, stream: Stream): AsyncIterable<Found> {
  for await (const event of mongo.of(stream.source)) {
    const id = String(event['id']);
    const number = numberOf({ id });
    const same = !(number < stream.issued) || isDeepStrictEqual(event, { ...stream.event(number) });
    yield { id, differs: same ? undefined : `is ${JSON.stringify(event).slice(0, 300)}` };
  }
}

/** What was judged before must still be as it was; what nobody sent must not be there. */
function judgeCounts(
  tally: Tally,
  store: 'influx' | 'mongo',
  journal: Journal,
  judged: readonly Stream[],
  counts: ReadonlyMap<string, number>,
): void {
  for (const [source, count] of counts) {
    if (source === INGEST) continue;
    const stream = journal.streams.get(source);
    if (!stream) tally.find('unknown', count, `${store} has ${count} of ${source}`);
    else if (!judged.includes(stream) && count > stream.issued)
      tally.find('duplicated', count - stream.issued, `${store} has ${count} of ${source}, not ${stream.issued}`);
  }
  for (const stream of journal.streams.values()) {
    if (judged.includes(stream)) continue;
    const missing = stream.acknowledged - (counts.get(stream.source) ?? 0);
    if (missing > 0) tally.find('lost', missing, `${store} misses ${missing} of ${stream.source}`);
  }
}
