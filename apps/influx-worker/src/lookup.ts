import { OVERFLOW } from './guard';
import type { Series } from './point';
import { getOr, millisecond, millisecondsOf } from './slots';
import type { Millisecond, Milliseconds, Stored } from './slots';
import { identifier, literal } from './server';
import type { Rows, Server } from './server';

/** A stretch of one series' time, by the milliseconds in it that somebody wants; sorted, at least one. */
interface Stretch {
  series: Series;
  times: readonly number[];
}

/** The most statements of one request: a statement costs 0.2 to 10 ms, and a request has its time-out. */
const STATEMENTS = 100;
/** Reading a row costs a thousandth of what asking again does: only a stretch with many more rows than wanted is cut. */
const SPARE_ROWS = 2000;
/** Into how many pieces a stretch is cut that holds too much else. */
const PIECES = 8;

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

/** What is asked about: an event of these tags at this time. */
export interface Asked {
  measurement: string;
  series: Series;
  timeMs: number;
}

/**
 * Asks the store what it has of the series of these events, in their milliseconds.
 *
 * This is one statement for each series, from its first event to its last. The store finds a series by its index,
 * in half a millisecond; for a stretch of time in a whole measurement it looks into each of its series, and there may be
 * a hundred thousand. A stretch that holds many more rows than there are events (between a late one and the live ones
 * are hours of others) is cut and asked again, down to single milliseconds; a single one is read whatever it holds, at
 * most a million rows, streamed. Rows of milliseconds that nobody wants are not kept.
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
  const times = new Map<Series, Set<number>>();
  for (const { series, timeMs } of events) getOr(times, series, () => new Set<number>()).add(timeMs);
  return [...times].map(([series, each]) => ({ series, times: [...each].sort((a, b) => a - b) }));
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
  const { series, times } = stretch;
  const [first, last] = [times[0] as number, times[times.length - 1] as number];
  const limit = limitOf(stretch) === Infinity ? '' : ` LIMIT ${limitOf(stretch)}`;
  const within = [...series.tags.map(isOrWas), `time >= ${first}000000`, `time <= ${last}999999`];
  return `SELECT "identity" FROM ${identifier(series.measurement)} WHERE ${within.join(' AND ')}${limit}`;
}

/** A value that the guard lets pass now may have been one too many when the event was stored, and the other way round. */
function isOrWas([name, value]: Series['tags'][number]): string {
  return `(${identifier(name)} = ${literal(value)} OR ${identifier(name)} = ${literal(OVERFLOW)})`;
}

function limitOf({ times }: Stretch): number {
  return times.length === 1 ? Infinity : 4 * times.length + SPARE_ROWS;
}

function piecesOf({ series, times }: Stretch): Stretch[] {
  const size = Math.ceil(times.length / PIECES);
  const pieces: Stretch[] = [];
  for (let from = 0; from < times.length; from += size) pieces.push({ series, times: times.slice(from, from + size) });
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
