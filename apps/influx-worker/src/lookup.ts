import { OVERFLOW } from './guard';
import type { Series } from './point';
import { getOr, millisecond, millisecondsOf } from './slots';
import type { Millisecond, Milliseconds, Stored } from './slots';
import { identifier, literal } from './server';
import type { Rows, Server } from './server';

/** A stretch of the time of one source in a measurement, by the milliseconds that somebody wants; sorted, at least one. */
interface Stretch {
  measurement: string;
  source: string | undefined;
  times: readonly number[];
}

/** The most statements of one request: a statement costs 0.2 to 10 ms, and a request has its time-out. */
const STATEMENTS = 100;
/** Reading a row costs a thousandth of what asking again does: only a stretch with many more rows than wanted is cut. */
const SPARE_ROWS = 2000;
/** Into how many pieces a stretch is cut that holds too much else. */
const PIECES = 8;
/** A source is asked about in so many stretches at most, parted where nothing is wanted for longer than this. */
const FIRST_STRETCHES = 16;
const GAP_MS = 1000;

/** The newest points of a measurement: all that are later than `afterMs`. */
export interface Newest {
  afterMs: number;
  times: Map<number, Millisecond>;
}

/** Of more points than this only the newest are read. */
const NEWEST = 10_000;

/**
 * Asks the store what it has later than these times, by measurement. Where that is much, less of it is told: `afterMs`
 * is later then.
 *
 * @throws ServerError when the store cannot answer
 */
export async function newestIn(
  server: Server,
  database: string,
  after: ReadonlyMap<string, number>,
): Promise<Map<string, Newest>> {
  const statementAfter = ([measurement, afterMs]: readonly [string, number]) =>
    `SELECT "identity" FROM ${identifier(measurement)} WHERE time > ${afterMs}999999 ORDER BY time DESC LIMIT ${NEWEST}`;
  const stored: Stored = new Map();
  const read = new Map<string, number>();
  for await (const rows of server.query(database, [...after].map(statementAfter).join(';'))) {
    read.set(rows.name, (read.get(rows.name) ?? 0) + rows.values.length);
    keep(rows, stored);
  }
  const newest = new Map<string, Newest>();
  for (const [measurement, afterMs] of after) {
    const times = stored.get(measurement) ?? new Map<number, Millisecond>();
    newest.set(measurement, (read.get(measurement) ?? 0) < NEWEST ? { afterMs, times } : withoutTheOldest(times));
  }
  return newest;
}

/** The oldest millisecond of those that were read may hold more. */
function withoutTheOldest(times: Map<number, Millisecond>): Newest {
  const oldest = [...times.keys()].reduce((least, timeMs) => Math.min(least, timeMs), Infinity);
  times.delete(oldest);
  return { afterMs: oldest, times };
}

/** What is asked about: an event of this series, at this time. */
export interface Asked {
  measurement: string;
  series: Series;
  timeMs: number;
}

/**
 * Asks the store what it has of the sources of these events, in their milliseconds.
 *
 * This is one statement for each source and measurement, over the time from its first event to its last, and one more for
 * each event that comes late, out of a spool, so that nothing of the hours between is read. For a stretch of time the
 * store looks into every series, and there may be a hundred thousand: so only into those of the source. It is part of an
 * event's identity; whatever else is a tag may be another when the same identity comes again. A stretch that holds many
 * more rows than there are events (a backfill whose times are far apart, between them a year of others) is cut and asked
 * again, down to single milliseconds; a single one is read whatever it holds, at most a million rows, streamed. Rows of
 * milliseconds that nobody wants are not kept.
 *
 * @throws ServerError when the store cannot answer: guessing would let one event replace another
 */
export async function storedIn(server: Server, database: string, events: readonly Asked[]): Promise<Stored> {
  const stored: Stored = new Map();
  const wanted = millisecondsOf(events);
  let open: Stretch[] = stretchesOf(events);
  while (open.length > 0) {
    const asked = open.splice(0, STATEMENTS);
    open = [...(await ask(server, database, asked, { wanted, stored })), ...open];
  }
  return stored;
}

function stretchesOf(events: readonly Asked[]): Stretch[] {
  const sources = new Map<string, { measurement: string; source: string | undefined; times: Set<number> }>();
  for (const { measurement, series, timeMs } of events) {
    const source = series.tags.find(([name]) => name === 'source')?.[1];
    const key = JSON.stringify([measurement, source]);
    getOr(sources, key, () => ({ measurement, source, times: new Set<number>() })).times.add(timeMs);
  }
  return [...sources.values()].flatMap(({ measurement, source, times }) =>
    partedAtGaps([...times].sort((a, b) => a - b)).map((part) => ({ measurement, source, times: part })),
  );
}

/** Sorted times, parted at the widest gaps. */
function partedAtGaps(times: readonly number[]): (readonly number[])[] {
  const gap = (at: number) => (times[at] as number) - (times[at - 1] as number);
  const cuts = Array.from({ length: times.length - 1 }, (_, n) => n + 1)
    .filter((at) => gap(at) > GAP_MS)
    .sort((a, b) => gap(b) - gap(a))
    .slice(0, FIRST_STRETCHES - 1)
    .sort((a, b) => a - b);
  return [0, ...cuts].map((from, n) => times.slice(from, cuts[n] ?? times.length));
}

/** Reads stretches; returns the pieces of those that held too much to be read to their end. */
async function ask(
  server: Server,
  database: string,
  stretches: readonly Stretch[],
  into: { wanted: Milliseconds; stored: Stored },
): Promise<Stretch[]> {
  const found = stretches.map(() => 0);
  for await (const rows of server.query(database, stretches.map(statementOf).join(';'))) {
    found[rows.statement] = (found[rows.statement] ?? 0) + rows.values.length;
    keep(rows, into.stored, into.wanted.get(rows.name) ?? NONE);
  }
  return stretches.flatMap((stretch, index) => ((found[index] ?? 0) < limitOf(stretch) ? [] : piecesOf(stretch)));
}

function statementOf(stretch: Stretch): string {
  const { measurement, source, times } = stretch;
  const [first, last] = [times[0] as number, times[times.length - 1] as number];
  const limit = limitOf(stretch) === Infinity ? '' : ` LIMIT ${limitOf(stretch)}`;
  const within = [`time >= ${first}000000`, `time <= ${last}999999`];
  // One that the guard lets pass now may have been one too many when the event was stored, and the other way round.
  if (source !== undefined) within.unshift(`("source" = ${literal(source)} OR "source" = ${literal(OVERFLOW)})`);
  return `SELECT "identity" FROM ${identifier(measurement)} WHERE ${within.join(' AND ')}${limit}`;
}

function limitOf({ times }: Stretch): number {
  return times.length === 1 ? Infinity : 4 * times.length + SPARE_ROWS;
}

function piecesOf({ times, ...of }: Stretch): Stretch[] {
  const size = Math.ceil(times.length / PIECES);
  const pieces: Stretch[] = [];
  for (let from = 0; from < times.length; from += size) pieces.push({ ...of, times: times.slice(from, from + size) });
  return pieces;
}

const NONE: ReadonlySet<number> = new Set();

/**
 * Adds rows to what is known, or those of the milliseconds that are wanted. Times come as text,
 * `2026-11-23T06:54:00.123456789Z` with trailing zeros cut: as numbers they would be rounded.
 */
function keep({ name, columns, values }: Rows, stored: Stored, wanted?: ReadonlySet<number>): void {
  const [timeColumn, identityColumn] = [columns.indexOf('time'), columns.indexOf('identity')];
  let [second, secondMs] = ['', 0];
  for (const row of values) {
    const [time, identity] = [row[timeColumn], row[identityColumn]];
    if (typeof time !== 'string' || typeof identity !== 'string') continue;
    if (!time.startsWith(second) || second === '') {
      second = time.slice(0, 19);
      secondMs = Date.parse(`${second}Z`);
    }
    const nanoseconds = time.slice(20, -1).padEnd(9, '0');
    const timeMs = secondMs + Number(nanoseconds.slice(0, 3));
    if (wanted && !wanted.has(timeMs)) continue;
    millisecond(stored, name, timeMs).set(identity, Number(nanoseconds.slice(3)));
  }
}
